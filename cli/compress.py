"""nic compress: picture files to .nic files."""

from functools import partial
from typing import Any

from nic.cli import options
from nic.cli.batch import run_batch
from nic.cli.command import command
from nic.cli.convert import Compress, Network, compress


@command("compress", epilog="See also: nic-decompress(1), nic-info(1), nic(1).")
@options.files
@options.output
@options.output_dir
@options.keep
@options.rate
@options.model
@options.network
@options.max_memory
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
    settings = Compress(Network(**network), quality, channels, force, keep)
    run_batch(files, output, output_dir, "nic", partial(compress, settings=settings))
