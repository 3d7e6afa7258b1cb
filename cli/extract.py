"""nic extract: single channels of a stream."""

from dataclasses import replace

import click

from nic.cli.common import options
from nic.cli.common.command import about, command
from nic.cli.common.files import skimming, writing
from nic.format.channels import Channels


@command("extract", epilog="See also: nic-truncate(1), nic-latents(1), nic-decode(1), nic(5).")
@options.files
@options.output
@options.channel_list("Extract these channels, such as 0-7,12; the first is 0. Default: all.")
@click.option("--latents", is_flag=True, help="Write dequantized latents, not symbols.")
@click.option(
    "--format",
    "name",
    type=click.Choice(["nic", "npy"]),
    help="Output format. Default: npy if the name of -o ends with .npy, else nic.",
)
@options.max_pixels
def main(
    files: tuple[str, ...],
    output: str | None,
    force: bool,
    channels: Channels | None,
    latents: bool,
    name: str | None,
    max_pixels: int | None,
) -> None:
    """Extract channels as symbols or latents.

    The output is a NumPy array (channels, rows, columns), with the channels in ascending
    order, or a stream for other nic programs. In a stream, all other channels are zero. From a
    file or a URL, only the header, the class map and the bytes of these channels are read. No
    network is loaded.

    \b
    Examples:
      nic extract -c 0 a.nic -o dc.npy
      nic extract -c 0-7,12 --latents --format npy < a.nic > some.npy
      nic extract -c 0-2 a.nic | nic-decode > b.png
    """
    from nic.cli.common.arrays import array_writer
    from nic.codec import Codec
    from nic.format.channels import planes, read_selected
    from nic.format.records import Record, Stage, write_record

    codec = Codec(max_pixels=max_pixels)
    as_array = name == "npy" or (name is None and (output or "").lower().endswith(".npy"))
    with writing(output, force) as out:
        write_array = array_writer(out, output)

        def extract(record: Record) -> None:
            if latents:
                record = codec.to_latents(record)
            elif record.stage == Stage.LATENTS:
                record = codec.forward(record, Stage.SYMBOLS)
            else:
                record = codec.to_symbols(record)
            if as_array:
                write_array(planes(record, channels or range(record.header.channels)))
            else:
                write_record(out, replace(record, header=record.header.after("extract")))

        for path in files or ("-",):
            with about(path), skimming(path) as source:
                for record in read_selected(source, channels):
                    extract(record)
