"""nic-encode: pictures to latents."""

from typing import Any

import click

from nic.cli import options
from nic.cli.command import about, command
from nic.cli.files import reading, writing


@command("encode", epilog="See also: nic-quantize(1), nic-decode(1), nic(1).")
@options.files
@options.output
@options.rate
@options.model
@options.network
@click.option("--name", metavar="TEXT", help="Record TEXT as the picture's name.")
def main(
    files: tuple[str, ...],
    output: str | None,
    force: bool,
    quality: float | None,
    channels: int | None,
    name: str | None,
    **network: Any,
) -> None:
    """Transform pictures into latents.

    Reads each FILE, or one picture on stdin, and writes one record of latents per picture.
    Quality and channels are recorded for the stages that follow.

    \b
    Examples:
      nic-encode < a.png | nic-entropy > a.nic
      nic-encode -q 80 a.png b.png | nic-pack -o both.nic
    """
    from nic import picture
    from nic.pipeline import Codec
    from nic.stream import write_record

    run = Codec(**network)
    with writing(output, force) as out:
        for path in files or ("-",):
            with about(path), reading(path) as source:
                pixels = picture.read(source.read())
                write_record(out, run.encode(pixels, quality, channels, name))
