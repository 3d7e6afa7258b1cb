"""nic-decode: records of any stage to pictures."""

from dataclasses import replace
from typing import Any, BinaryIO

from nic.cli.common import options
from nic.cli.common.command import command
from nic.cli.common.files import reading, skimming
from nic.cli.common.pictures import write_pictures
from nic.errors import UsageError
from nic.format.channels import Channels
from nic.picture.metadata import Keep
from nic.remote.ranges import Ranges
from nic.remote.servers import is_url
from nic.settings import Decoding
from nic.types import Depth


@command("decode", epilog="See also: nic-encode(1), nic-decompress(1), nic-thumbnail(1), nic(1).")
@options.files
@options.output
@options.channel_list(options.DECODED)
@options.scale("Write a small picture from the first channels, as nic thumbnail does.")
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
    scale: int | None,
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
      nic-decode --scale 1/8 a.nic -o small.png
      nic-decode --channels 0-15 https://example.org/a.nic -o coarse.png
      nic-encode < a.png | nic-decode --format ppm | pnmpsnr a.ppm -
    """
    from nic.codec import Codec
    from nic.picture import formats, rows, writers
    from nic.preview.shrink import Shrink
    from nic.preview.thumbnail import thumbnails

    if scale is not None and channels is not None:
        raise UsageError("--scale reads the first channels; give no --channels")
    run = Codec(**network)
    name = picture_format or formats.format_of(output)
    decoding = Decoding(channels, tolerate, metadata, formats.depth_in(name, depth))
    if scale is not None:
        write_pictures(
            files,
            output,
            force,
            skimming,
            lambda source, report: thumbnails(run, source, Shrink(scale), decoding, report),
            lambda out, picture: out.write(writers.write(picture, name)),
        )
        return
    write_pictures(
        files,
        output,
        force,
        skimming if any(map(is_url, files)) else reading,
        lambda source, report: run.decode_stream(source, _for(source, decoding), report),
        lambda out, parts: rows.write(out, parts, name, run.limit),
    )


def _for(source: BinaryIO, decoding: Decoding) -> Decoding:
    """How a source is decoded: of a remote one, only the chosen channels are fetched."""
    return replace(decoding, skim=isinstance(source, Ranges))
