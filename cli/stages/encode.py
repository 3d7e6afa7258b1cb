"""nic-encode: pictures to latents."""

from typing import Any

import click

from nic.cli.common import options
from nic.cli.common.command import about, command
from nic.cli.common.files import reading, writing
from nic.picture.metadata import Keep
from nic.settings import Encoding


@command("encode", epilog="See also: nic-quantize(1), nic-decode(1), nic(1).")
@options.files
@options.output
@options.rate
@options.model
@options.network
@options.threads
@options.max_memory
@options.max_pixels
@options.effort
@options.alpha_quality
@options.metadata(options.STORED)
@click.option("--name", metavar="TEXT", help="Store TEXT in the record as the name of the picture.")
def main(
    files: tuple[str, ...],
    output: str | None,
    force: bool,
    quality: float | None,
    channels: int | None,
    name: str | None,
    effort: int,
    alpha_quality: float | None,
    metadata: Keep,
    **network: Any,
) -> None:
    """Transform pictures into latents.

    Each FILE is one picture; without FILE, stdin is one picture. A picture becomes one record
    of latents, or several records if it is coded in strips. Quality and channels are stored in
    the record for the later stages.

    \b
    Examples:
      nic-encode < a.png | nic-entropy > a.nic
      nic-encode -q 80 a.png b.png | nic-pack -o both.nic
    """
    from nic.cli.common.progress import searching
    from nic.codec import Codec
    from nic.format.records import write_record
    from nic.picture.rows import open_picture

    run = Codec(**network)
    encoding = Encoding(quality, channels, name, alpha_quality, effort)
    with writing(output, force) as out:
        for path in files or ("-",):
            with about(path), reading(path) as source:
                picture = open_picture(source, run.settings.strip_pixels, run.limit, metadata)
                with searching(effort) as run.watch:
                    for record in run.encode_rows(picture, encoding):
                        write_record(out, record)
