"""nic decompress: .nic files to picture files."""

from typing import Any

from nic.cli.batch.inputs import STREAMS, Inputs
from nic.cli.batch.one_file import Decompress, decompress
from nic.cli.batch.run import Batch
from nic.cli.common import options
from nic.cli.common.command import command
from nic.format.channels import Channels
from nic.picture import formats
from nic.picture.metadata import Keep
from nic.settings import Decoding, Settings
from nic.types import Depth


@command("decompress", epilog="See also: nic-compress(1), nic-test(1), nic(1).")
@options.files
@options.output
@options.output_dir
@options.keep
@options.channel_list(options.DECODED)
@options.picture_format
@options.depth
@options.network
@options.threads
@options.inputs
@options.workers
@options.tolerate
@options.max_pixels
@options.metadata(options.WRITTEN)
def main(
    files: tuple[str, ...],
    output: str | None,
    output_dir: str | None,
    force: bool,
    keep: bool,
    channels: Channels | None,
    picture_format: str | None,
    depth: Depth | None,
    recursive: bool,
    filelist: str | None,
    null: bool,
    skip_existing: bool,
    jobs: int,
    scheduler: str | None,
    tolerate: bool,
    metadata: Keep,
    **network: Any,
) -> None:
    """Decompress .nic files into pictures beside them.

    Without FILE, or with -, the program reads from stdin and writes to stdout. The picture
    format is that of --format. Without --format, the extension of -o decides, or else it is
    PNG. Damaged input files are kept, even with --rm and --tolerate.

    \b
    Examples:
      nic decompress a.nic -o b.tiff
      nic decompress --format jpeg --output-dir out *.nic
      nic decompress --depth 16 --format tiff a.nic
      nic decompress -r -j 0 --output-dir out archive
      nic decompress < a.nic | display
    """
    formats.depth_in(picture_format or formats.format_of(output), depth)  # one error for all files
    decoding = Decoding(channels, tolerate, metadata, depth)
    how = Decompress(Settings(**network), decoding, picture_format, force, keep)
    suffix = picture_format or "png"
    inputs = Inputs(
        files, STREAMS, suffix, output, output_dir, recursive, filelist, null, skip_existing
    )
    Batch(inputs, decompress, how, jobs, scheduler).run()
