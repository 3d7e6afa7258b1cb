"""nic truncate: fewer channels, without coding them again."""

from nic.cli.common import options
from nic.cli.common.command import command
from nic.cli.common.options.numbers import number
from nic.cli.common.options.rates import CHANNELS


@command("truncate", epilog="See also: nic-extract(1), nic-quantize(1), nic-decode(1), nic(5).")
@options.files
@options.output
@number(
    "-c",
    "--channels",
    type=CHANNELS,
    required=True,
    metavar="N",
    help="Keep only the first N channels.",
)
def main(files: tuple[str, ...], output: str | None, force: bool, channels: int) -> None:
    """Drop the trailing channels of records of any stage.

    Nothing is decoded: the first N channels are copied as they are. The result decodes to the
    same picture as these channels of the original. Every checksum is verified. Neither a
    network nor a model is loaded.

    \b
    Examples:
      nic truncate -c 32 a.nic > b.nic
      nic compress -q 80 < a.png | nic truncate -c 16 -o coarse.nic
    """
    from nic.cli.common.files import for_each_record, writing
    from nic.format.channels import truncate
    from nic.format.records import write_record

    with writing(output, force) as out:
        for_each_record(files, lambda record: write_record(out, truncate(record, channels)))
