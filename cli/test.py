"""nic test: are these files sound?"""

from functools import partial

import click

from nic.cli.common import options
from nic.cli.common.command import attempt, command, log, name_of
from nic.cli.common.files import reading


@command("test", epilog="See also: nic-info(1), nic-decode(1), nic(5), nic(1).")
@options.files
@options.max_pixels
def main(files: tuple[str, ...], max_pixels: int | None) -> None:
    """Check that files are intact: every checksum, and every channel decodes.

    If all files are intact, nothing is printed; -v prints a line for each file. A damaged file
    is named, with its damaged chunk or channels. The other files are still checked, and the
    exit code is 3. No network is loaded. A file that was coded with tables of a model can be
    checked only if this model is installed.

    \b
    Examples:
      nic test *.nic
      nic test < a.nic && echo sound
    """
    from nic.codec import Codec
    from nic.format.salvage import checked_records

    codec = Codec(max_pixels=max_pixels)

    def check(path: str) -> None:
        with reading(path) as source:
            records = checked_records(source, codec)
            pictures = len([record.stage for record in records])
            log.info("%s: sound, pictures: %d", name_of(path), pictures)

    codes = [attempt(path, partial(check, path)) for path in files or ("-",)]
    click.get_current_context().exit(max(codes))
