"""nic decompress: .nic files to picture files."""

from typing import Any

from nic.channels import Channels, select
from nic.cli import options
from nic.cli.batch import keep_or_remove, run_batch
from nic.cli.command import command
from nic.cli.files import reading, writing
from nic.errors import UsageError


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
    from nic import picture
    from nic.pipeline import Codec
    from nic.stream import read_records

    run = Codec(**network)

    def decompress(source: str, target: str | None) -> None:
        named = target is not None and target != "-"
        name = picture_format or picture.format_of(target)
        with reading(source) as file, writing(target, force) as out:
            for count, record in enumerate(read_records(file)):
                if named and count:
                    raise UsageError("holds more than one picture; use nic-decode")
                kept = record if channels is None else select(record, channels)
                out.write(picture.write(run.decode(kept), name))
        keep_or_remove(source, target, keep)

    run_batch(files, output, output_dir, picture_format or "png", decompress)
