"""Thumbnails: pictures at 1/8 of the size from the leading latent channels, without a network.

The mean colour of a block of 8x8 pixels is a linear function of the first latents of the block.
``nic.models.model.Model.thumbnail`` holds its K + 1 weights for each of red, green and blue. With
the dequantized latents l, it is ``((w[K] + l[0] w[0]) + l[1] w[1]) + ...`` from left to right, each
product and each sum rounded to float32, and then clipped to 0..1. Grey is ((r + g) + b) * (1/3). So
a thumbnail has the same pixels on every machine, as long as it is not resampled.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from nic.decoder import Decoder
from nic.errors import CorruptError
from nic.format.channels import latents, leading, read_leading, select
from nic.format.header import Colour, Header
from nic.format.records import Record
from nic.format.salvage import Report, read_intact
from nic.format.strips import check_order, end, is_last
from nic.limits import Work
from nic.picture import alpha as alphas
from nic.picture import metadata
from nic.picture.pixels import Picture
from nic.picture.rows import by_picture
from nic.preview.shrink import Planes, Shrink, shrunk
from nic.settings import Decoding
from nic.types import STRIDE, Floats, Pixels, peak

THIRD = np.float32(1 / 3)

Part = tuple[Header, tuple[metadata.Metadata, Planes]]  # of a thumbnail, from one record


def thumbnails(
    decoder: Decoder,
    source: BinaryIO,
    how: Shrink | None = None,
    options: Decoding | None = None,
    report: Report | None = None,
) -> Iterator[Picture]:
    """Yield a small picture of every picture of a stream, whose records may be of any stage.

    Of a source that can seek, only the header, the class map, the excess, transparency and the
    first channels are read, and the metadata that is asked for.

    Args:
        how: the size; by default 1/8, rounded up.
        options: how to decode; ``channels`` is not used.
        report: takes the damage that ``options`` tolerate.
    Raises: as ``nic.decoder.Decoder.decode_stream``, and ModelError for a model without a map.
    """
    how, options = how or Shrink(), options or Decoding()
    parts = (part_of(decoder, record) for record in _records(decoder, source, options, report))
    for strips in by_picture(parts):
        yield joined(strips, how, options)


def part_of(decoder: Decoder, record: Record) -> Part:
    """What a record gives to a thumbnail."""
    return record.header, (metadata.from_chunks(record.extra), planes_of(decoder, record))


def blank_below(decoder: Decoder, header: Header) -> list[Part]:
    """Blank rows in place of the strips that follow one: latents of zero."""
    if header.strip is None or is_last(header):
        return []
    whole = replace(
        header, height=header.strip[1] - end(header), strip=(end(header), header.strip[1])
    )
    shape = (1, *whole.latent_shape[:2])
    return [
        (whole, (metadata.NOTHING, Planes(_colours(decoder, header, np.zeros(shape, np.float32)))))
    ]


def planes_of(decoder: Decoder, record: Record) -> Planes:
    """The mean colours of the blocks of a record of any stage, of its leading channels."""
    header = record.header
    if header.strip is not None:  # all strips are held
        decoder.limit.check(header.width, header.strip[1], Work.THUMBNAIL)
    colours = _colours(decoder, header, latents(decoder.to_latents(record)))
    if not record.alpha:
        return Planes(colours)
    found = alphas.parse(record.alpha, header.width, header.height)
    if isinstance(found, Record):
        return Planes(colours, planes_of(decoder, found).colours[0])
    return Planes(colours, block_means(found))


def mean_colours(latents: NDArray[np.float32], weights: NDArray[np.float32]) -> Floats:
    """Mean colours (3, h, w), 0 to 1, of latents (C, h, w) and the weights (K + 1, 3)."""
    colours: Floats = np.empty((3, *latents.shape[1:]), np.float32)
    colours[:] = weights[-1][:, None, None]
    for plane, row in zip(latents, weights[:-1], strict=False):
        for colour, weight in zip(colours, row, strict=True):
            colour += plane * weight
    np.clip(colours, 0, 1, out=colours)
    return colours


def _colours(decoder: Decoder, header: Header, latents: NDArray[np.float32]) -> Floats:
    """Mean colours (3, h, w), or (1, h, w) for grey, of latents (C, h, w)."""
    colours = mean_colours(latents, decoder.loader.model(header).thumbnail)
    if header.colour == Colour.GREY:
        colours[0] = ((colours[0] + colours[1]) + colours[2]) * THIRD
        return colours[:1]
    return colours


def block_means(plane: Pixels) -> Floats:
    """Means of the blocks of 8x8 samples of a plane (H, W), 0 to 1.

    Blocks at the border may have fewer samples.
    """
    rows, columns = (np.arange(0, side, STRIDE) for side in plane.shape)
    sums = np.add.reduceat(plane, rows, axis=0, dtype=np.uint32)
    sums = np.add.reduceat(sums, columns, axis=1)
    high, wide = (np.diff(at, append=n) for at, n in zip((rows, columns), plane.shape, strict=True))
    return np.asarray(sums / (np.multiply.outer(high, wide) * peak(plane)), np.float32)


def _records(
    decoder: Decoder, source: BinaryIO, options: Decoding, report: Report | None
) -> Iterator[Record]:
    """The records of a stream with their leading channels, in the order of their strips."""

    def count_of(header: Header) -> int:
        return len(decoder.loader.model(header).thumbnail) - 1

    if options.tolerate:
        whole = read_intact(source, decoder, report or Report())
        found: Iterator[Record] = (
            select(r, leading(r.stage, r.header, count_of(r.header))) for r in whole
        )
    else:
        found = read_leading(source, count_of, metadata.unwanted(options.metadata))
    last: Header | None = None
    for record in found:
        check_order(record.header, last)
        last = None if is_last(record.header) else record.header
        yield record
    if last is not None:
        raise CorruptError(f"truncated: the picture's strips end at row {end(last)}")


def joined(strips: Iterable[Part], how: Shrink, options: Decoding) -> Picture:
    """The thumbnail of a picture from its strips, with the metadata of the first one."""
    headers, contents = zip(*strips, strict=True)
    kept, parts = zip(*contents, strict=True)
    colours = np.concatenate([part.colours for part in parts], axis=1)
    alpha = None
    if any(part.alpha is not None for part in parts):
        alpha = np.concatenate([_alpha(part) for part in parts])
    first: Header = headers[0]
    height = first.strip[1] if first.strip else first.height
    planes = shrunk(Planes(colours, alpha), first.width, height, how)
    small = planes.picture(options.depth or first.bit_depth)
    return Picture(small.pixels, small.alpha, kept[0].only(options.metadata))


def _alpha(planes: Planes) -> Floats:
    """The alpha plane (h, w), also of an opaque strip."""
    opaque = np.ones(planes.colours.shape[1:], np.float32)
    return opaque if planes.alpha is None else planes.alpha
