"""nic compress: picture files to .nic files."""

from typing import Any

from nic.cli import options
from nic.cli.batch import keep_or_remove, run_batch
from nic.cli.command import command
from nic.cli.files import reading, writing


@command("compress", epilog="See also: nic-decompress(1), nic-info(1), nic(1).")
@options.files
@options.output
@options.output_dir
@options.keep
@options.rate
@options.model
@options.network
@options.threads
def main(
    files: tuple[str, ...],
    output: str | None,
    output_dir: str | None,
    force: bool,
    keep: bool,
    quality: float | None,
    channels: int | None,
    **network: Any,
) -> None:
    """Compress pictures into .nic files beside them.

    Without FILE, or with -, reads one picture on stdin and writes to stdout. Sources are
    kept unless --rm is given. A picture that fails does not stop the others; the exit code
    is that of the gravest failure.

    \b
    Examples:
      nic compress photos/*.jpg
      nic compress -q 80 --output-dir small a.png b.png
      nic compress < a.png | ssh host 'cat > a.nic'
    """
    from nic import picture
    from nic.pipeline import Codec
    from nic.stream import Stage, write_record

    run = Codec(**network)

    def compress(source: str, target: str | None) -> None:
        with reading(source) as file:
            record = run.encode(picture.read(file.read()), quality, channels)
        with writing(target, force) as out:
            write_record(out, run.forward(record, Stage.PACKED))
        keep_or_remove(source, target, keep)

    run_batch(files, output, output_dir, "nic", compress)
