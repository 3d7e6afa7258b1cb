"""nic-decode: records of any stage to pictures."""

from typing import Any

from nic.channels import Channels, select
from nic.cli import options
from nic.cli.command import command
from nic.cli.files import for_each_record, writing
from nic.errors import UsageError
from nic.stream import Record


@command("decode", epilog="See also: nic-encode(1), nic-decompress(1), nic(1).")
@options.files
@options.output
@options.channel_list(options.DECODED)
@options.picture_format
@options.network
@options.threads
def main(
    files: tuple[str, ...],
    output: str | None,
    force: bool,
    channels: Channels | None,
    picture_format: str | None,
    **network: Any,
) -> None:
    """Decode records of any stage into pictures.

    Takes packed files, coded streams, symbols, or latents (the transform without
    quantization). Several pictures are written one after the other on stdout.

    \b
    Examples:
      nic-decode < a.nic > b.png
      nic-decode a.nic -o b.tiff
      nic-decode --channels 0-15 a.nic -o coarse.png
      nic-encode < a.png | nic-decode --format ppm | pnmpsnr a.ppm -
    """
    from nic import picture
    from nic.pipeline import Codec

    run = Codec(**network)
    named = output is not None and output != "-"
    name = picture_format or picture.format_of(output)
    done = 0
    with writing(output, force) as out:

        def decode(record: Record) -> None:
            nonlocal done
            if named and done:
                raise UsageError(f"more than one picture for {output}; use stdout")
            kept = record if channels is None else select(record, channels)
            out.write(picture.write(run.decode(kept), name))
            done += 1

        for_each_record(files, decode)
