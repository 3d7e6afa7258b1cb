"""Reading and writing pictures row by row, for pictures that are too large for memory.

Binary PGM and PPM (netpbm's formats P5 and P6) can be read a few rows at a time, even from
a pipe. A picture of any other format is decoded whole and then cut.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from typing import BinaryIO, TypeVar

import numpy as np

from nic.errors import CorruptError, UsageError
from nic.format.header import Header
from nic.limits import ANY, Limit, Work
from nic.picture import pixels, readers, writers
from nic.picture.alpha import fill_hidden
from nic.picture.files import pnm
from nic.picture.metadata import NOTHING, Keep, Metadata
from nic.picture.metadata.writing import fitting
from nic.picture.pixels import Picture, scaled
from nic.picture.writers import COLOUR_PGM
from nic.types import Pixels, depth_of, peak

T = TypeVar("T")
MAX_GAP = 16  # bytes in which another picture must begin
MAX_HEADER = 1024  # bytes, comments included
PIECE = 1 << 24  # bytes per read


@dataclass(frozen=True)
class Rows:
    """A picture that is read from top to bottom.

    Attributes:
        width, height: pixels.
        read: ``read(n)`` gives the next n rows, uint8 or uint16 (n, W, 3), or (n, W) for grey.
        alpha: (H, W) of the type of the rows, or None if all pixels are opaque. An encoder may
            change the colour of pixels with alpha 0.
        metadata: ICC profile, EXIF, XMP and declared colour.
    """

    width: int
    height: int
    read: Callable[[int], Pixels]
    alpha: Pixels | None = None
    metadata: Metadata = NOTHING


def of_picture(whole: Picture) -> Rows:
    """The rows of a picture in memory, its hidden pixels filled (``alpha.fill_hidden``)."""
    pixels, at = fill_hidden(whole.pixels, whole.alpha), 0

    def read(n: int) -> Pixels:
        nonlocal at
        at += n
        return pixels[at - n : at]

    return Rows(pixels.shape[1], pixels.shape[0], read, whole.alpha, whole.metadata)


def of_array(pixels: Pixels) -> Rows:
    """The rows of an opaque picture, uint8 or uint16 (H, W, 3) or (H, W)."""
    return of_picture(Picture(pixels))


def open_picture(
    source: BinaryIO, strip_pixels: int, limit: Limit = ANY, keep: Keep = "all"
) -> Rows:
    """Open a picture file of any format; the source need not be seekable.

    It is read whole, unless it is a PGM or PPM of more than ``strip_pixels`` pixels.

    Raises: as ``nic.picture.readers.read``.
    """
    rows, start = _large_pnm(source, strip_pixels)
    return rows or of_picture(readers.read(start + source.read(), limit, keep))


def _large_pnm(source: BinaryIO, strip_pixels: int) -> tuple[Rows | None, bytes]:
    """The rows of a PGM or PPM of more than ``strip_pixels``, or None; and the bytes read so far.

    ``Rows.read`` raises CorruptError when the file ends too early.
    """
    start = source.read(2)
    if start not in (b"P5", b"P6"):
        return None, start
    while not (found := pnm.PNM.match(start)) and len(start) < MAX_HEADER:
        byte = source.read(1)
        if not byte:
            break
        start += byte
    if found is None:
        return None, start
    width, height, maximum = (int(found[i]) for i in (2, 3, 4))
    if not (maximum == 255 or pnm.is_deep(found)) or width * height <= strip_pixels:
        return None, start
    pnm.check_most(maximum)
    shape = (width,) if found[1] == b"5" else (width, 3)

    left = [height]

    def read(n: int) -> Pixels:
        values = np.empty((n, *shape), np.uint8 if maximum == 255 else ">u2")
        view = pnm.as_bytes(values)
        for at in range(0, len(view), PIECE):
            piece = _read(source, min(PIECE, len(view) - at))
            view[at : at + len(piece)] = piece
        left[0] -= n
        if left[0] == 0:
            pnm.note_next(source.read(MAX_GAP))
        return values if maximum == 255 else scaled(values, maximum)

    return Rows(width, height, read), b""


def _read(source: BinaryIO, size: int) -> bytes:
    parts = []
    while size and (part := source.read(size)):
        parts.append(part)
        size -= len(part)
    if size:
        raise CorruptError("the picture is damaged: it ends before its last row")
    return b"".join(parts)


def by_picture(parts: Iterable[tuple[Header, T]]) -> Iterator[Iterator[tuple[Header, T]]]:
    """Group items that belong to records, each with its header, by picture."""
    number = 0

    def of(part: tuple[Header, T]) -> int:
        nonlocal number
        number += part[0].strip is None or part[0].strip[0] == 0
        return number

    for _, group in groupby(parts, of):
        yield group


def write(
    out: BinaryIO,
    parts: Iterator[tuple[Header, Picture]],
    name: str,
    limit: Limit = ANY,
) -> None:
    """Write one picture as format ``name``: PPM and PGM strip by strip, other formats whole.

    Raises: UsageError for a colour picture as PGM, NicError when it is larger than ``limit``.
    """
    header, first = next(parts)
    if header.strip is None:
        out.write(writers.write(first, name))
        return
    strips = chain([first], (part for _, part in parts))
    if name not in ("ppm", "pgm"):
        work = Work.picture(depth_of(first.pixels))
        limit.check(header.width, header.strip[1], work)
        out.write(writers.write(joined(list(strips)), name))
        return
    if name == "pgm" and first.pixels.ndim == 3:
        raise UsageError(COLOUR_PGM)
    grey, noted = first.pixels.ndim == 2, False
    fitting(first.metadata, name, grey)
    out.write(pnm.head(header.width, header.strip[1], grey, peak(first.pixels)))
    for strip in strips:
        noted = noted or writers.note_alpha(strip, name)
        out.write(pnm.body(pixels.flattened(strip)))


def joined(strips: list[Picture]) -> Picture:
    """The picture made of its strips, with the metadata of the first strip."""
    pixels = np.concatenate([strip.pixels for strip in strips])
    if all(strip.alpha is None for strip in strips):
        return Picture(pixels, None, strips[0].metadata)
    planes = (
        np.full(s.pixels.shape[:2], peak(pixels), pixels.dtype) if s.alpha is None else s.alpha
        for s in strips
    )
    return Picture(pixels, np.concatenate(list(planes)), strips[0].metadata)
