"""nic compress: picture files to .nic files."""

from typing import Any

from nic.cli.batch.inputs import PICTURES, Inputs
from nic.cli.batch.one_file import Compress, compress
from nic.cli.batch.run import Batch
from nic.cli.common import options
from nic.cli.common.command import command
from nic.errors import UsageError
from nic.picture.metadata import Keep
from nic.settings import Encoding, Settings


@command("compress", epilog="See also: nic-decompress(1), nic-info(1), nic(1).")
@options.files
@options.output
@options.output_dir
@options.keep
@options.rate
@options.model
@options.network
@options.max_memory
@options.max_pixels
@options.threads
@options.inputs
@options.suffix
@options.workers
@options.aim
@options.effort
@options.alpha_quality
@options.metadata(options.STORED)
def main(
    files: tuple[str, ...],
    output: str | None,
    output_dir: str | None,
    force: bool,
    keep: bool,
    quality: float | None,
    channels: int | None,
    recursive: bool,
    filelist: str | None,
    null: bool,
    skip_existing: bool,
    suffix: str | None,
    jobs: int,
    scheduler: str | None,
    target_bpp: float | None,
    target_size: float | None,
    target_psnr: float | None,
    target_ssimulacra2: float | None,
    strict: bool,
    effort: int,
    alpha_quality: float | None,
    metadata: Keep,
    **network: Any,
) -> None:
    """Compress pictures into .nic files beside them.

    Without FILE, or with -, the program reads one picture from stdin and writes to stdout.
    Input files are kept unless --rm is given. A .nic file gets the mode and the modification
    time of its picture. A picture that fails does not stop the others. The exit code is that of
    the worst failure.

    \b
    Examples:
      nic compress photos/*.jpg
      nic compress -q 80 --output-dir small a.png b.png
      nic compress -r -j 0 --skip-existing --output-dir small photos
      nic compress --suffix .nic a.jpg a.png
      nic compress --target-size 30k a.png
      nic compress --effort 7 a.png
      nic compress < a.png | ssh host 'cat > a.nic'
    """
    target = None
    targets = (target_bpp, target_size, target_psnr, target_ssimulacra2)
    if any(value is not None for value in targets):
        from nic.search.target import target_of  # takes time

        target = target_of(*targets)
    if target is not None and quality is not None:
        raise UsageError("give -q or a target, not both")
    if strict and target is None:
        raise UsageError("--strict needs a target")
    encoding = Encoding(
        quality=quality,
        channels=channels,
        alpha_quality=alpha_quality,
        effort=effort,
        metadata=metadata,
        target=target,
        strict=strict,
    )
    how = Compress(Settings(**network), encoding, force, keep)
    inputs = Inputs(
        files,
        PICTURES,
        "nic",
        output,
        output_dir,
        recursive,
        filelist,
        null,
        skip_existing,
        suffix,
    )
    Batch(inputs, compress, how, jobs, scheduler).run()
