"""nic bench: speed on this machine, and quality against other codecs."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from nic import __version__
from nic.cli.bench_output import opened, progress
from nic.cli.common import options
from nic.cli.common.command import command
from nic.cli.common.files import writing
from nic.cli.common.options.numbers import Number, number
from nic.cli.common.options.rates import QUALITY
from nic.errors import UsageError
from nic.models.zoo import DEFAULT

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
PEERS = ("jpeg", "jpeg2000", "bpg", "webp", "avif-iq", "avif-ssim", "jpegxl", "none")
SIDE = re.compile(r"[1-9][0-9]{0,5}")


@click.group("bench", epilog="See also: nic-compress(1), nic-models(1), nic(1).")
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Measure speed and quality on this machine.

    The command speed measures the time of the networks, of every stage and of the programs.
    The command quality compares bytes and distortion with other codecs. The command compare
    shows two results side by side. Tables are printed on stdout, as Markdown if stdout is not
    a terminal. After an interrupt, the finished measurements are printed.

    \b
    Examples:
      nic bench speed
      nic bench quality kodak/ --json after.json --plot curves.svg
      nic bench compare before.json after.json
    """


def _size(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> list[tuple[int, int]]:
    sizes = []
    for value in values:
        width, cross, height = value.lower().partition("x")
        if not (cross and SIDE.fullmatch(width) and SIDE.fullmatch(height)):
            raise click.BadParameter(f"{value}: use WIDTHxHEIGHT, such as 1920x1080")
        sizes.append((int(width), int(height)))
    return _once(sizes)


def _once(values: Iterable[T]) -> list[T]:
    """Without repetitions, which would stand in the tables as codecs or rows of their own."""
    return list(dict.fromkeys(values))


def _models(usual: str) -> Callable[[F], F]:
    return click.option(
        "--model", "models", multiple=True, metavar="NAME",
        help=f"Name of a model; see nic models. May be repeated. Default: {usual}.",
    )  # fmt: skip


def _outputs(function: F) -> F:
    for name, value, meaning in (
        ("force", "", "Replace existing files."),
        ("plot", "FILE", "Draw a plot into FILE, a .png or .svg."),
        ("csv", "FILE", "Write all measured rows to FILE as CSV; - is stdout, without tables."),
        ("json", "FILE", "Write the whole result to FILE as JSON; - is stdout, without tables."),
    ):
        names = [*(["-f"] if name == "force" else []), f"--{name}"]
        settings: dict[str, Any] = {"metavar": value} if value else {"is_flag": True}
        function = click.option(*names, help=meaning, **settings)(function)
    return function


# fmt: off
@command("speed", epilog="See also: nic-bench(1), nic(1).")
@click.argument("pictures", nargs=-1, type=click.Path(readable=False, path_type=Path),
                metavar="[PICTURE]...")
@click.option("--size", "sizes", multiple=True, callback=_size, metavar="WxH",
              help="Size of the pictures; may be repeated. Default: 512x512 and 1920x1080.")
@_models(DEFAULT)
@number("-q", "--quality", type=QUALITY, metavar="1..100",
        help="Quality to code at. Default: the model's default quality.")
@click.option("--backend", type=click.Choice(["native", "keras"]),
              help="Measure only this backend. Default: all that are installed.")
@click.option("--device", type=click.Choice(["cpu", "gpu"]),
              help="Measure only this device. Default: the CPU, and a GPU if there is one.")
@number("--repeats", type=Number(3, 1000), default=7, show_default=True, metavar="N",
        help="Repeat every call N times; slow calls are repeated less often.")
@click.option("--reference/--no-reference", default=True,
              help="Measure the reference network (dcn) too, or leave it out.")  # fmt: skip
@_outputs
def speed(
    pictures: tuple[Path, ...], sizes: list[tuple[int, int]], models: tuple[str, ...],
    quality: float | None, backend: str | None, device: str | None, repeats: int, reference: bool,
    **outputs: Any,
) -> None:
    """Measure the time of the networks, of every stage and of the programs.

    Each PICTURE is cropped, or extended by mirroring, to each size. Without PICTURE, a picture
    with the spectrum of photographs is made. The dcn network has random weights, which take as
    long as trained ones. Rows marked "published" are figures that others measured on their
    hardware.

    \b
    Examples:
      nic bench speed
      nic bench speed a.png --size 768x512 --backend native
    """
    from nic.bench.speed import times as bench

    places = tuple(
        place
        for place in bench.PLACES
        if backend in (None, place.backend) and device in (None, place.device)
    )
    if not places:
        raise UsageError(f"the {backend} backend does not run on a {device}")
    setup = bench.Setup(
        models=tuple(_once(models)) or (DEFAULT,),
        sizes=tuple(sizes) or bench.SIZES,
        paths=pictures,
        places=places if backend or device else (),
        quality=quality,
        repeats=repeats,
        with_reference=reference,
    )
    with opened(**outputs) as finish:
        with progress(bench.steps(setup)) as advance:
            report = bench.measure(setup, advance)
        code = finish(report)
    click.get_current_context().exit(code)
# fmt: on


# fmt: off
@command("quality", epilog="See also: nic-bench(1), nic(1).")
@click.argument("pictures", nargs=-1, required=True, metavar="FOLDER|PICTURE...",
                type=click.Path(exists=True, path_type=Path))
@number("-q", "--quality", "levels", type=QUALITY, multiple=True,
        metavar="1..100", help="Quality of nic; may be repeated. Default: seven qualities.")
@_models(f"{DEFAULT} and light")
@click.option("--peer", "peers", type=click.Choice(PEERS), multiple=True,
              help="Compare only with this codec; may be repeated. Default: all codecs.")
@number("--jobs", type=Number(1, 1024), metavar="N",
        help="Code N files at the same time. Default: one per processor.")
@options.network
@_outputs
def quality(
    pictures: tuple[Path, ...], levels: tuple[float, ...], models: tuple[str, ...],
    peers: tuple[str, ...], jobs: int | None, backend: str, device: str, **outputs: Any,
) -> None:
    """Compare bytes and distortion with other codecs, over a range of qualities.

    Bytes are the sizes of whole files, with their headers. Distortion is measured on the
    decoded pictures. Of a picture with 16 bits per sample, the other codecs get 8, and
    SSIMULACRA 2 and Butteraugli are measured on 8. A codec that is not installed is left out,
    and a note says how to install it.

    \b
    Examples:
      nic bench quality kodak/ --plot curves.png --json all.json
      nic bench quality a.png b.png -q 30 -q 50 -q 70 --peer jpeg
    """
    from nic.bench.codecs import MODELS, QUALITIES
    from nic.bench.pictures import in_folders
    from nic.bench.quality import rates as bench
    from nic.resources import cores

    chosen = tuple(name for name in PEERS if name in (peers or PEERS) and name != "none")
    setup = bench.Setup(
        models=tuple(_once(models)) or MODELS,
        backend=backend,
        device=device,
        levels=tuple(sorted(_once(levels))) or QUALITIES,
        peers=() if "none" in peers else chosen,
    )
    paths = in_folders(pictures)
    with opened(**outputs) as finish:
        with progress(bench.steps(setup, paths)) as advance:
            report = bench.measure(setup, paths, jobs or cores(), advance)
        code = finish(report)
    click.get_current_context().exit(code)
# fmt: on


@command("compare", epilog="See also: nic-bench(1), nic(1).")
@click.argument("before", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("after", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--json",
    metavar="FILE",
    help="Write the comparison to FILE as JSON; - is stdout, without tables.",
)
@click.option("-f", "--force", is_flag=True, help="Replace existing files.")
def compare(before: Path, after: Path, json: str | None, force: bool) -> None:
    """Show two results that were written with --json side by side.

    Both must be results of nic bench speed, or both of nic bench quality with the same
    pictures.

    \b
    Examples:
      nic bench compare before.json after.json
    """
    from nic.bench.report import compare as bench
    from nic.bench.report import output

    found = bench.compare(output.from_json(before), output.from_json(after))
    if json is not None:
        with writing(json, force) as file:
            file.write(output.to_json(found))
    if json != "-":
        output.show(bench.tables(found), bench.notes(found))


for _subcommand in (speed, quality, compare):
    main.add_command(_subcommand)
