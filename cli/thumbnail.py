"""nic thumbnail: small pictures, without a network."""

from nic.cli.common import options
from nic.cli.common.command import command
from nic.cli.common.files import skimming
from nic.cli.common.pictures import write_pictures
from nic.errors import UsageError
from nic.picture.metadata import Keep
from nic.settings import Decoding
from nic.types import Depth


@command("thumbnail", epilog="See also: nic-decode(1), nic-extract(1), nic-pipelines(7), nic(1).")
@options.files
@options.output
@options.scale("Size of the thumbnail, as a part of the picture. Default: 1/8.")
@options.size
@options.picture_format
@options.depth
@options.tolerate
@options.max_pixels
@options.metadata(options.WRITTEN, default="icc")
def main(
    files: tuple[str, ...],
    output: str | None,
    force: bool,
    scale: int | None,
    size: int | None,
    picture_format: str | None,
    depth: Depth | None,
    tolerate: bool,
    max_pixels: int | None,
    metadata: Keep,
) -> None:
    """Make a small picture from the first channels of a file.

    No network is loaded: the mean colour of each block of 8x8 pixels is computed from the first
    channels. From a file or a URL, only the header, the class map, the transparency and the bytes
    of these channels are read. Input and output are as for nic-decode.

    \b
    Examples:
      nic thumbnail a.nic -o small.png
      nic thumbnail --size 256 a.nic -o small.png
      nic thumbnail https://example.org/a.nic -o small.png
      nic thumbnail --scale 1/16 --format ppm < a.nic | pnmtopng > small.png
    """
    from nic.codec import Codec
    from nic.picture import formats, writers
    from nic.preview.shrink import SCALES, Shrink
    from nic.preview.thumbnail import thumbnails

    if scale is not None and size is not None:
        raise UsageError("give --scale or --size, not both")
    name = picture_format or formats.format_of(output)
    decoding = Decoding(None, tolerate, metadata, formats.depth_in(name, depth))
    decoder, how = Codec(max_pixels=max_pixels), Shrink(scale or SCALES[0], size)
    write_pictures(
        files,
        output,
        force,
        skimming,
        lambda source, report: thumbnails(decoder, source, how, decoding, report),
        lambda out, picture: out.write(writers.write(picture, name)),
    )
