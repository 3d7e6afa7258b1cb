"""Pictures that are read and written row by row: what is too large to be held whole.

Binary PGM and PPM (netpbm's formats P5 and P6) of 8 bits can be had a few rows at a time from
a pipe; a picture of any other format is decoded whole, and then cut.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from nic import picture
from nic.errors import CorruptError
from nic.header import Header

Pixels = NDArray[np.uint8]
MAX_HEADER = 1024  # bytes, comments included
PIECE = 1 << 24  # bytes per read
# Magic, width, height and maximum, separated by white space and comments; one more white space.
_GAP = rb"(?:[ \t\r\n\v\f]|#[^\r\n]*[\r\n])+"
HEADER = re.compile(rb"P([56])" + (_GAP + rb"([0-9]{1,9})") * 3 + rb"[ \t\r\n\v\f]")


@dataclass(frozen=True)
class Rows:
    """A picture; ``read(n)`` gives its next n rows, uint8 (n, W, 3), or (n, W) for grey."""

    width: int
    height: int
    read: Callable[[int], Pixels]


def of_array(pixels: Pixels) -> Rows:
    """The rows of a picture that is there already."""
    at = 0

    def read(n: int) -> Pixels:
        nonlocal at
        at += n
        return pixels[at - n : at]

    return Rows(pixels.shape[1], pixels.shape[0], read)


def open_picture(source: BinaryIO, strip_pixels: int) -> Rows:
    """A picture file of any format, held whole unless it is a PNM above ``strip_pixels``.

    Raises: as ``nic.picture.read``.
    """
    rows, start = _large_pnm(source, strip_pixels)
    return rows or of_array(picture.read(start + source.read()))


def _large_pnm(source: BinaryIO, strip_pixels: int) -> tuple[Rows | None, bytes]:
    """The rows of a PGM or PPM above ``strip_pixels``, or None and what was read.

    The source need not be seekable. ``Rows.read`` raises CorruptError where the file ends.
    """
    start = source.read(2)
    if start not in (b"P5", b"P6"):
        return None, start
    while not (found := HEADER.match(start)) and len(start) < MAX_HEADER:
        byte = source.read(1)
        if not byte:
            break
        start += byte
    if found is None:
        return None, start
    width, height, maximum = (int(found[i]) for i in (2, 3, 4))
    if maximum != 255 or width * height <= strip_pixels:
        return None, start
    shape = (width,) if found[1] == b"5" else (width, 3)

    def read(n: int) -> Pixels:
        pixels = np.empty((n, *shape), np.uint8)
        view = pixels.data.cast("B") if pixels.size else memoryview(b"")
        for at in range(0, len(view), PIECE):
            piece = _read(source, min(PIECE, len(view) - at))
            view[at : at + len(piece)] = piece
        return pixels

    return Rows(width, height, read), b""


def _read(source: BinaryIO, size: int) -> bytes:
    parts = []
    while size and (part := source.read(size)):
        parts.append(part)
        size -= len(part)
    if size:
        raise CorruptError("the picture is damaged: it ends before its last row")
    return b"".join(parts)


def pictures(
    parts: Iterable[tuple[Header, Pixels]],
) -> Iterator[Iterator[tuple[Header, Pixels]]]:
    """The strips, or the one part, of each picture in turn."""
    number = 0

    def of(part: tuple[Header, Pixels]) -> int:
        nonlocal number
        number += part[0].strip is None or part[0].strip[0] == 0
        return number

    for _, group in groupby(parts, of):
        yield group


def write(out: BinaryIO, parts: Iterator[tuple[Header, Pixels]], name: str) -> None:
    """Write one picture as format ``name``: PPM row by row, others need it whole."""
    header, first = next(parts)
    pixels = chain([first], (pixels for _, pixels in parts))
    if header.strip is None:
        out.write(picture.write(first, name))
    elif name == "ppm":
        out.write(
            b"P%d\n%d %d\n255\n" % (5 if first.ndim == 2 else 6, header.width, header.strip[1])
        )
        for rows in pixels:
            out.write(np.ascontiguousarray(rows).data)
    else:
        out.write(picture.write(np.concatenate(list(pixels)), name))
