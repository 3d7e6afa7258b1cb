"""nic-entropy: symbols to coded channels."""

import click

from nic.cli.common import options
from nic.cli.common.command import command

CODERS = ("auto", "prior", "own", "fse", "raw", "zstd")


@command("entropy", epilog="See also: nic-quantize(1), nic-pack(1), nic-info(1), nic(1).")
@options.files
@options.output
@click.option(
    "--coder",
    "name",
    type=click.Choice(CODERS),
    help="Coder: auto (shortest), prior (the model's tables), own (a table in the file), fse (a "
    "reference FSE stream), raw (5 bits per symbol), zstd. With this option, records that are "
    "coded already are coded again. Default: auto.",
)
@options.threads
@options.max_pixels
def main(
    files: tuple[str, ...],
    output: str | None,
    force: bool,
    name: str | None,
    threads: int | None,
    max_pixels: int | None,
) -> None:
    """Code symbols, each channel by itself in its shortest mode.

    Latents are quantized first, at the quality that is stored in their record. The output is a
    complete file that nic-decode reads; nic-pack makes its header smaller. No network is
    loaded.

    \b
    Examples:
      nic-encode < a.png | nic-entropy > a.nic
      nic-encode < a.png | nic-quantize -q 70 | nic-entropy | nic-pack > a.nic
      nic-entropy --coder fse a.nic | nic info
    """
    from nic.cli.common.files import for_each_record, writing
    from nic.codec import Codec
    from nic.entropy.coding import Coder
    from nic.format.records import Record, Stage, write_record

    run = Codec(threads=threads, max_pixels=max_pixels)
    coder = Coder(name or "auto")

    def code(record: Record) -> Record:
        if name is not None and record.stage >= Stage.CODED:
            return run.recode(record, coder)
        return run.forward(record, Stage.CODED, coder=coder)

    with writing(output, force) as out:
        for_each_record(files, lambda record: write_record(out, code(record)))
