"""JPEG 2000 of more than 8 bits, through imagecodecs; Pillow reads the colour of it as 8 bits."""

import struct

import numpy as np
from numpy.typing import NDArray

from nic.errors import CorruptError
from nic.models.quiet import loggers_quiet, native_stderr_closed
from nic.picture.extra.boxes import inside
from nic.picture.files.decoded import full_range

SIZE = b"\xff\x4f\xff\x51"  # the markers SOC and SIZ, with which a codestream starts
SIGNED = 128
RGB, GREY = 16, 17  # colour spaces in the box colr (ISO/IEC 15444-1, section I.5.3.3)


def deep(data: bytes) -> NDArray[np.uint16] | None:
    """The samples of a file of 9 to 16 bits, scaled to 16: (H, W) or (H, W, 2..4), alpha last.

    Returns: None for files that Pillow reads, or of samples that are signed or of several depths.
    Raises: CorruptError.
    """
    bits = _bits(data)
    if not 8 < bits <= 16 or _space(data) not in (RGB, GREY):
        return None
    import imagecodecs

    with loggers_quiet(), native_stderr_closed():
        try:
            samples = np.asarray(imagecodecs.jpeg2k_decode(data))
        except (imagecodecs.Jpeg2kError, ValueError) as error:
            raise CorruptError(f"the picture is damaged: {error}") from error
    return np.asarray(full_range(samples, bits), np.uint16)


def _bits(data: bytes) -> int:
    """Bits of every sample; 0 if they differ or are signed."""
    found = _sizes(data)
    depth = found[0] + 1 if len(set(found)) == 1 else 0
    return depth if len(found) <= 4 and depth <= SIGNED else 0


def depths(data: bytes) -> list[int]:
    """Bits of the samples of each component; none if the file does not say."""
    return [size % SIGNED + 1 for size in _sizes(data)]


def _sizes(data: bytes) -> bytes:
    """Bits of the samples of each component less one, plus ``SIGNED`` if they are signed."""
    at = data.find(SIZE)
    if at < 0 or len(data) < at + 42:
        return b""
    (count,) = struct.unpack_from(">H", data, at + 40)
    return data[at + 42 : at + 42 + 3 * count : 3]


def _space(data: bytes) -> int:
    """The colour space; that of a profile, and of a codestream without boxes, is taken for RGB."""
    if data.startswith(SIZE):
        return RGB
    colour = dict(inside(dict(inside(data)).get(b"jp2h", b""))).get(b"colr", b"")
    return int.from_bytes(colour[3:7], "big") if colour[:1] == b"\1" else RGB
