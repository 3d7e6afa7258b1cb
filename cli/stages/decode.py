"""nic-decode: records of any stage to pictures."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from nic.cli.common import options
from nic.cli.common.command import command
from nic.cli.common.files import reading, skimming
from nic.cli.common.pictures import write_pictures, write_versions
from nic.errors import UsageError
from nic.format.channels import Channels
from nic.picture.metadata import Keep
from nic.remote.ranges import Ranges
from nic.remote.servers import is_url
from nic.settings import Decoding
from nic.types import Depth

if TYPE_CHECKING:
    from nic.codec import Codec


@command("decode", epilog="See also: nic-encode(1), nic-decompress(1), nic-thumbnail(1), nic(1).")
@options.files
@options.output
@options.channel_list(options.DECODED)
@options.scale("Write a small picture from the first channels, as nic thumbnail does.")
@click.option(
    "--progressive",
    is_flag=True,
    help="Write pictures while the input arrives, from what is there so far: a thumbnail, the "
    "first 16 and 32 channels, and all. A truncated input gives what it can.",
)
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
    progressive: bool,
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
      curl -s https://example.org/a.nic | nic-decode --progressive -f -o a.png
      nic-decode --channels 0-15 https://example.org/a.nic -o coarse.png
      nic-encode < a.png | nic-decode --format ppm | pnmpsnr a.ppm -
    """
    from nic.codec import Codec
    from nic.picture import formats

    if (channels is not None) + (scale is not None) + progressive > 1:
        raise UsageError("give only one of --channels, --scale and --progressive")
    if progressive and any(map(is_url, files)):
        raise UsageError("--progressive takes no URL; pipe the file from curl")
    run = Codec(**network)
    name = picture_format or formats.format_of(output)
    decoding = Decoding(channels, tolerate, metadata, formats.depth_in(name, depth))
    if scale is not None:
        _write_small(files, output, force, name, run, decoding, scale)
    elif progressive:
        _write_as_it_arrives(files, output, force, name, run, decoding)
    else:
        _write_whole(files, output, force, name, run, decoding)


def _write_whole(
    files: tuple[str, ...], output: str | None, force: bool, name: str, run: "Codec",
    decoding: Decoding,
) -> None:  # fmt: skip
    from nic.picture import rows

    write_pictures(
        files,
        output,
        force,
        skimming if any(map(is_url, files)) else reading,
        lambda source, report: run.decode_stream(source, _for(source, decoding), report),
        lambda out, parts: rows.write(out, parts, name, run.limit),
    )


def _write_small(
    files: tuple[str, ...], output: str | None, force: bool, name: str, run: "Codec",
    decoding: Decoding, scale: int,
) -> None:  # fmt: skip
    from nic.picture import writers
    from nic.preview.shrink import Shrink
    from nic.preview.thumbnail import thumbnails

    write_pictures(
        files,
        output,
        force,
        skimming,
        lambda source, report: thumbnails(run, source, Shrink(scale), decoding, report),
        lambda out, picture: out.write(writers.write(picture, name)),
    )


def _write_as_it_arrives(
    files: tuple[str, ...], output: str | None, force: bool, name: str, run: "Codec",
    decoding: Decoding,
) -> None:  # fmt: skip
    from nic.picture import rows
    from nic.preview.progress import versions

    write_versions(
        files,
        output,
        force,
        lambda source, report, every: versions(run, source, decoding, report, every),
        lambda out, parts: rows.write(out, parts, name, run.limit),
    )


def _for(source: BinaryIO, decoding: Decoding) -> Decoding:
    """How a source is decoded: of a remote one, only the chosen channels are fetched."""
    return replace(decoding, skim=isinstance(source, Ranges))
