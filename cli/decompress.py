"""nic decompress: .nic files to picture files."""

from functools import partial
from typing import Any

from nic.channels import Channels
from nic.cli import options
from nic.cli.batch import run_batch
from nic.cli.command import command
from nic.cli.convert import Decompress, Network, decompress


@command("decompress", epilog="See also: nic-compress(1), nic-test(1), nic(1).")
@options.files
@options.output
@options.output_dir
@options.keep
@options.channel_list(options.DECODED)
@options.picture_format
@options.network
@options.threads
def main(
    files: tuple[str, ...],
    output: str | None,
    output_dir: str | None,
    force: bool,
    keep: bool,
    channels: Channels | None,
    picture_format: str | None,
    **network: Any,
) -> None:
    """Decompress .nic files into pictures beside them.

    The format is that of --format, else of the extension of -o, else PNG. Without FILE, or
    with -, reads stdin and writes to stdout.

    \b
    Examples:
      nic decompress a.nic -o b.tiff
      nic decompress --format jpeg --output-dir out *.nic
      nic decompress < a.nic | display
    """
    settings = Decompress(Network(**network), channels, picture_format, force, keep)
    extension = picture_format or "png"
    run_batch(files, output, output_dir, extension, partial(decompress, settings=settings))
