"""nic-entropy: symbols to coded channels."""

from nic.cli import options
from nic.cli.command import command


@command("entropy", epilog="See also: nic-quantize(1), nic-pack(1), nic(1).")
@options.files
@options.output
def main(files: tuple[str, ...], output: str | None, force: bool) -> None:
    """Code symbols, every channel by itself in its shortest mode.

    Latents are quantized on the way, at the quality that they ask for. The output is a whole
    file that nic-decode reads; nic-pack makes its header compact.

    \b
    Examples:
      nic-encode < a.png | nic-entropy > a.nic
      nic-encode < a.png | nic-quantize -q 70 | nic-entropy | nic-pack > a.nic
    """
    from nic.cli.advance import advance
    from nic.stream import Stage

    advance(files, output, force, Stage.CODED)
