"""nic-pack: coded channels to a compact file."""

from nic.cli.common import options
from nic.cli.common.command import command


@command("pack", epilog="See also: nic-entropy(1), nic-decode(1), nic(5).")
@options.files
@options.output
def main(files: tuple[str, ...], output: str | None, force: bool) -> None:
    """Pack coded channels into a .nic file with a compact header.

    Records of earlier stages are quantized and coded first.

    \b
    Examples:
      nic-encode < a.png | nic-quantize | nic-entropy | nic-pack > a.nic
      nic-encode -q 80 < a.png | nic-pack > a.nic
    """
    from nic.cli.stages.stage import advance
    from nic.format.records import Stage

    advance(files, output, force, Stage.PACKED)
