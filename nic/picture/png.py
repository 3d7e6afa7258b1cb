"""PNG files: their chunks, and a check that all rows are there.

Pillow leaves missing rows zero, silently.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from nic.errors import CorruptError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # per pixel, by colour type (PNG, section 11.2.2)
# Passes of interlacing (section 8.2): first column, first row, and the steps across and down.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2))  # fmt: skip
WHOLE = ((0, 0, 1, 1),)
PIECE = 1 << 20  # bytes that are decompressed at a time


class Chunk(NamedTuple):
    """A chunk: its type, and where it begins and ends in the file."""

    kind: bytes
    start: int
    stop: int

    @property
    def name(self) -> str:
        """The type as text."""
        return self.kind.decode("ascii")

    def content(self, data: bytes) -> bytes:
        """The payload of the chunk in the file ``data``."""
        return data[self.start + 8 : self.stop - 4]

    def is_sound(self, data: bytes) -> bool:
        """Whether the checksum of the chunk in the file ``data`` holds."""
        view = memoryview(data)
        checksum = int.from_bytes(view[self.stop - 4 : self.stop], "big")
        return zlib.crc32(view[self.start + 4 : self.stop - 4]) == checksum


def chunks_of(data: bytes) -> Iterator[Chunk]:
    """Yield the whole chunks of a file, up to IEND."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        stop = at + 12 + length
        if stop > len(data) or not kind.isalpha():
            return
        yield Chunk(kind, at, stop)
        if kind == b"IEND":
            return
        at = stop


def check_rows(data: bytes, image: Any) -> None:
    """Raises CorruptError when rows are missing in a PNG whose checksums hold.

    The check decompresses the file again, which takes as long as loading it. It is skipped when
    the last row is not zero and the file is not interlaced: then no row is missing.

    Args:
        data: the file.
        image: the image that Pillow has loaded from it.
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
    """Bytes of the decompressed rows, filter bytes included. Raises CorruptError."""
    inflate, size = zlib.decompressobj(), 0
    for chunk in chunks_of(data):
        piece = chunk.content(data) if chunk.kind == b"IDAT" else b""
        while piece and not inflate.eof:
            try:
                size += len(inflate.decompress(piece, PIECE))
            except zlib.error as error:
                raise CorruptError(f"the picture is damaged: {error}") from error
            piece = inflate.unconsumed_tail
    return size + len(inflate.flush())
