"""nic-quantize: latents to symbols."""

from nic.cli.common import options
from nic.cli.common.command import command


@command("quantize", epilog="See also: nic-encode(1), nic-entropy(1), nic(1).")
@options.files
@options.output
@options.rate
def main(
    files: tuple[str, ...],
    output: str | None,
    force: bool,
    quality: float | None,
    channels: int | None,
) -> None:
    """Quantize latents into symbols of the codebook.

    Quality sets the step of the quantizer. Latents that are saved once can be quantized at any
    quality. Without -q, the quality that nic-encode stored is used. If it stored none, the
    default is used.

    \b
    Examples:
      nic-encode < a.png | nic-quantize -q 30 | nic-entropy | nic-pack > a.nic
      nic-encode < a.png > a.latents
      for q in 20 50 80; do nic-quantize -q $q a.latents | nic-pack -o a$q.nic; done
    """
    from nic.cli.stages.stage import advance
    from nic.format.records import Stage

    advance(files, output, force, Stage.SYMBOLS, quality, channels)
