"""nic-decode: records of any stage to pictures."""

from typing import Any

from nic.cli.common import options
from nic.cli.common.command import about, command, name_of
from nic.cli.common.files import reading, writing
from nic.errors import UsageError
from nic.format.channels import Channels
from nic.picture.metadata import Keep
from nic.settings import Decoding
from nic.types import Depth


@command("decode", epilog="See also: nic-encode(1), nic-decompress(1), nic(1).")
@options.files
@options.output
@options.channel_list(options.DECODED)
@options.picture_format
@options.depth
@options.network
@options.threads
@options.tolerate
@options.max_pixels
@options.metadata(options.WRITTEN)
def main(
    files: tuple[str, ...],
    output: str | None,
    force: bool,
    channels: Channels | None,
    picture_format: str | None,
    depth: Depth | None,
    tolerate: bool,
    metadata: Keep,
    **network: Any,
) -> None:
    """Decode records of any stage into pictures.

    The input can be packed files, coded streams, symbols or latents. From latents, the
    pictures show the transform without quantization. Several pictures are written to stdout
    one after the other.

    \b
    Examples:
      nic-decode < a.nic > b.png
      nic-decode a.nic -o b.tiff
      nic-decode --channels 0-15 a.nic -o coarse.png
      nic-encode < a.png | nic-decode --format ppm | pnmpsnr a.ppm -
    """
    from nic.codec import Codec
    from nic.format.salvage import Report
    from nic.picture import formats, rows

    run = Codec(**network)
    named = output is not None and output != "-"
    name = picture_format or formats.format_of(output)
    decoding = Decoding(channels, tolerate, metadata, formats.depth_in(name, depth))
    done, report = 0, Report()
    with writing(output, force) as out:
        for path in files or ("-",):
            with about(path), reading(path) as source:
                report.prefix = f"{name_of(path)}: "
                for parts in run.decode_stream(source, decoding, report):
                    if named and done:
                        raise UsageError(f"more than one picture for {output}; use stdout")
                    rows.write(out, parts, name, run.limit)
                    done += 1
    report.check()
