"""Options that several programs share, each declared once."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from nic.errors import UsageError
from nic.format.channels import Channels, parse
from nic.models.zoo import DEFAULT, TUNES
from nic.picture.formats import FORMATS
from nic.picture.metadata import KEEP
from nic.resources import cores

F = TypeVar("F", bound=Callable[..., Any])

DECODED = "Decode only these channels, such as 0-15 or 0-7,12; others are zero."


def files(function: F) -> F:
    """Input files; none means stdin."""
    return click.argument("files", nargs=-1, type=click.Path(), metavar="[FILE]...")(function)


def output(function: F) -> F:
    """``-o`` and ``-f``."""
    function = click.option("-f", "--force", is_flag=True, help="Replace existing files.")(function)
    return click.option(
        "-o", "--output", type=click.Path(), metavar="FILE", help="Write to FILE; - is stdout."
    )(function)


def rate(function: F) -> F:
    """``-q`` and ``--channels``: what decides about size and quality."""
    function = click.option(
        "--channels",
        type=click.IntRange(1, 255),
        metavar="N",
        help="Keep the first N latent channels (16, 32 and 64 are trained for).",
    )(function)
    return click.option(
        "-q",
        "--quality",
        type=click.FloatRange(1, 100),
        metavar="1..100",
        help="Quality; fractions are allowed. Default: the model's, 50.",
    )(function)


def channel_list(meaning: str) -> Callable[[F], F]:
    """``-c``: some of the channels, as a ``nic.format.channels.Channels``."""
    return click.option(
        "-c", "--channels", metavar="LIST", help=meaning, callback=_channels, default=None
    )


def _channels(_: click.Context, __: click.Parameter, value: str | None) -> Channels | None:
    try:
        return None if value is None else parse(value)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error


def model(function: F) -> F:
    """``--model`` and ``--tune``."""
    function = click.option(
        "--tune",
        type=click.Choice(list(TUNES)),
        default="psnr",
        show_default=True,
        help="Take the model's variant that was trained for this measure.",
    )(function)
    return click.option(
        "--model",
        default=DEFAULT,
        show_default=True,
        metavar="NAME",
        help="See nic models; 4k, 8k and 16k are the default's first 16, 32 and 64 channels.",
    )(function)


def network(function: F) -> F:
    """``--backend`` and ``--device``: what runs the transforms."""
    function = click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="auto|cpu|gpu[:N]",
        help="Where Keras runs; LiteRT runs on the CPU.",
        callback=_device,
    )(function)
    return click.option(
        "--backend",
        type=click.Choice(["auto", "litert", "keras"]),
        default="auto",
        show_default=True,
        help="What runs the networks; auto is LiteRT unless a GPU is asked for.",
    )(function)


def threads(function: F) -> F:
    """``-T``: of the entropy coder."""
    return click.option(
        "-T",
        "--threads",
        type=click.IntRange(0),
        default=1,
        show_default=True,
        metavar="N",
        help="Threads of the entropy coder, 0 for all cores; the output is the same.",
        callback=_threads,
    )(function)


def _threads(_: click.Context, __: click.Parameter, value: int) -> int:
    return value or cores()


def picture_format(function: F) -> F:
    """``--format`` of decoded pictures."""
    return click.option(
        "--format",
        "picture_format",
        type=click.Choice(list(FORMATS)),
        help="Picture format. Default: by the output's extension, else png.",
    )(function)


def _device(_: click.Context, __: click.Parameter, value: str) -> str:
    kind, _colon, number = value.partition(":")
    if value not in ("auto", "cpu", "gpu") and not (kind == "gpu" and number.isdigit()):
        raise click.BadParameter("use auto, cpu, gpu or gpu:N")
    return value


def output_dir(function: F) -> F:
    """``--output-dir``."""
    return click.option(
        "--output-dir",
        type=click.Path(file_okay=False, exists=True),
        metavar="DIR",
        help="Write into DIR instead of beside the sources.",
    )(function)


def keep(function: F) -> F:
    """``-k`` and ``--rm``."""
    return click.option(
        "-k/--rm", "--keep/--remove", "keep", default=True, help="Keep sources, or remove them."
    )(function)


def max_memory(function: F) -> F:
    """``--max-memory``, as the number of pixels of a strip."""
    return click.option(
        "--max-memory",
        "strip_pixels",
        metavar="SIZE",
        default="1200M",
        show_default=True,
        callback=_strip_pixels,
        help="Code larger pictures in strips that need no more memory; k, M and G are units.",
    )(function)


def _strip_pixels(_: click.Context, __: click.Parameter, value: str) -> int:
    from nic.transform.strips import pixels_within

    units = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
    number = value[:-1] if value[-1:].lower() in units else value
    if not number.isdigit():
        raise click.BadParameter("give a number of bytes, such as 800M or 2G")
    return pixels_within(int(number) * units.get(value[-1:].lower(), 1))


def pile(function: F) -> F:
    """Which files, beside the operands: ``-r``, ``--filelist``, ``-0``, ``--skip-existing``."""
    for declare in (
        click.option(
            "--skip-existing", is_flag=True, help="Leave out files whose output is there already."
        ),
        click.option("-0", "--null", is_flag=True, help="Names in the list end with NUL bytes."),
        click.option(
            "--filelist",
            type=click.Path(),
            metavar="FILE",
            help="Take further names from FILE, one a line; - is stdin.",
        ),
        click.option(
            "-r",
            "--recursive",
            is_flag=True,
            help="Of directories, take all files in them; --output-dir has the same sub-folders.",
        ),
    ):
        function = declare(function)
    return function


def workers(function: F) -> F:
    """``-j`` and ``--scheduler``: where the files of a pile are worked on."""
    function = click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Let a Dask cluster do the work; its workers share the file system.",
    )(function)
    return click.option(
        "-j",
        "--jobs",
        type=click.IntRange(0),
        default=1,
        show_default=True,
        metavar="N",
        help="Work on N files at a time, 0 for as many as there are processors.",
        callback=_threads,
    )(function)


def aim(function: F) -> F:
    """``--target-bpp``, ``--target-size``, ``--target-psnr`` and ``--strict``."""
    positive = click.FloatRange(min=0, min_open=True)
    for declare in (
        click.option(
            "--strict", is_flag=True, help="Where no quality meets the target, write nothing."
        ),
        click.option(
            "--target-psnr",
            type=positive,
            metavar="DB",
            help="Take the least quality that reaches this PSNR.",
        ),
        click.option(
            "--target-size",
            metavar="BYTES",
            callback=_bytes,
            help="Take the best quality whose file has at most so many bytes; k and M are units "
            "of 1024 and 1024 k.",
        ),
        click.option(
            "--target-bpp",
            type=positive,
            metavar="X",
            help="Take the best quality whose file has at most so many bits per pixel.",
        ),
    ):
        function = declare(function)
    return function


def _bytes(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)([kKM]?)", value)
    number = float(found[1]) * {"": 1, "k": 1 << 10, "m": 1 << 20}[found[2].lower()] if found else 0
    if number < 1:
        raise click.BadParameter("give a number of bytes, such as 30000, 30k or 1.5M")
    return float(int(number))


def max_pixels(function: F) -> F:
    """``--max-pixels``: a count, or None for what fits into memory."""
    return click.option(
        "--max-pixels",
        metavar="N",
        callback=_max_pixels,
        help="Refuse larger pictures; k, M and G are units. Default: what fits into free memory.",
    )(function)


def _max_pixels(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    from nic.picture.limits import parse as number

    try:
        return None if value is None else number(value)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error


def tolerate(function: F) -> F:
    """``--tolerate``."""
    return click.option(
        "--tolerate",
        is_flag=True,
        help="Decode what is intact of damaged files, lost channels as zero; exit code 6 then.",
    )(function)


STORED = "Which metadata of the picture to store: ICC profile, EXIF and XMP are all."
WRITTEN = "Which metadata to write, where the format can hold it."


def metadata(meaning: str) -> Callable[[F], F]:
    """``--metadata``: which of it is kept, one of ``nic.picture.metadata.KEEP``."""
    return click.option(
        "--metadata", type=click.Choice(KEEP), default="all", show_default=True, help=meaning
    )


def refine(function: F) -> F:
    """``--refine``: steps of the search for better latents."""
    return click.option(
        "--refine",
        "refinement",
        type=click.IntRange(0, 100_000),
        default=0,
        show_default=True,
        metavar="STEPS",
        help="Search better latents for this picture and quality by so many steps of gradient "
        "descent, with Keras. 100 to 300 are worth their time; decoding stays as it is.",
    )(function)


def alpha_quality(function: F) -> F:
    """``--alpha-quality``."""
    return click.option(
        "--alpha-quality",
        type=click.FloatRange(1, 100),
        metavar="1..100",
        help="Code transparency with losses, where that is shorter. Default: exactly.",
    )(function)
