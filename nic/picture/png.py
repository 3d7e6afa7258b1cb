"""Whether a PNG file holds all of its rows: where its data end early, Pillow leaves them zero."""

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from nic.errors import CorruptError

SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # per pixel, by colour type (PNG, section 11.2.2)
# Interlacing (section 8.2): first column and row of each pass, and the steps between them.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2))  # fmt: skip
WHOLE = ((0, 0, 1, 1),)
PIECE = 1 << 20  # bytes that are decompressed at a time


def check_rows(data: bytes, image: Any) -> None:
    """Raises CorruptError where a PNG, sound by its checksums, has not all of its rows.

    Args: image: that Pillow has loaded of it. Only where its last row is zero, or may come
        before the last data, is the file decompressed again, which takes as long as loading it.
    """
    width, height, depth, colour, interlaced = struct.unpack_from(">IIBB2xB", data, 16)
    if not interlaced and np.asarray(image.crop((0, height - 1, width, height))).any():
        return
    bits, due = depth * SAMPLES.get(colour, 0), 0
    for x, y, across, down in PASSES if interlaced else WHOLE:
        columns, rows = -(-(width - x) // across), -(-(height - y) // down)
        due += rows * (1 + -(-columns * bits // 8)) if columns > 0 and rows > 0 else 0
    there = _inflated_size(data)
    if there < due:
        raise CorruptError(f"the picture is damaged: {there} bytes of rows, not {due}")


def _inflated_size(data: bytes) -> int:
    """Bytes of all rows with their filters, as far as they can be decompressed."""
    inflate, size = zlib.decompressobj(), 0
    for piece in _image_data(data):
        while piece and not inflate.eof:
            try:
                size += len(inflate.decompress(piece, PIECE))
            except zlib.error as error:
                raise CorruptError(f"the picture is damaged: {error}") from error
            piece = inflate.unconsumed_tail
    return size + len(inflate.flush())


def _image_data(data: bytes) -> Iterator[bytes]:
    """The payloads of all chunks IDAT."""
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IDAT":
            yield data[at + 8 : at + 8 + length]
        at += 12 + length
