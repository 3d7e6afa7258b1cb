"""JPEG XL: pixels through imagecodecs, profile and boxes through pillow-jxl-plugin.

Either package has only one of them: the plugin gives 8 bits of colour, imagecodecs no profile.
"""

import logging
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nic.errors import CorruptError, UsageError
from nic.limits import Limit, Work
from nic.models.quiet import loggers_quiet, native_stderr_closed
from nic.picture import extra
from nic.picture.colour import declared
from nic.picture.extra.boxes import inside
from nic.picture.files.decoded import Decoded, full_range, with_alpha_last
from nic.picture.metadata import Metadata
from nic.picture.metadata.reading import of_parts, of_sides

log = logging.getLogger("nic")

CODESTREAM = b"\xff\x0a"
EXIF = (b"II*\0", b"MM\0*")
# The names that libjxl gives to its profiles of grey, and what they say.
GREYS = {"Gra_D65_Rel_SRG": {"sRGB": b"\1"}, "Gra_D65_Rel_Lin": {"gAMA": b"\0\1\x86\xa0"}}
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height


@dataclass(frozen=True)
class Head:
    """The start of a codestream: the size as stored, and the samples."""

    width: int
    height: int
    bits: int = 8
    is_float: bool = False
    is_animated: bool = False


def read(data: bytes, limit: Limit) -> Decoded:
    """The first frame of a JPEG XL file.

    Raises: UsageError when the plugin is not installed or the samples are floating-point,
        CorruptError for damage, NicError when the picture is larger than ``limit``.
    """
    plugin = extra.needed("pillow_jxl", "a JPEG XL picture")
    import imagecodecs

    found = head(data)
    limit.check(found.width, found.height, Work.PICTURE)
    if found.is_float or found.bits > 16:
        kind = "floating-point samples" if found.is_float else f"samples of {found.bits} bits"
        raise UsageError(f"the picture has {kind}; convert it to 8 or 16 bits first")
    with loggers_quiet(), native_stderr_closed():
        try:
            samples = np.asarray(imagecodecs.jpegxl_decode(data, index=0))
            icc, boxes = plugin.Decoder(num_threads=1)(data)[3:]
        except (imagecodecs.JpegxlError, ValueError, RuntimeError) as error:
            raise CorruptError(f"the picture is damaged: {error}") from error
    if found.is_animated:
        log.warning("note: only the first of several frames is coded")
    height, width = samples.shape[:2]
    metadata = of_sides(_metadata(icc or b"", boxes), width, height)
    return with_alpha_last(full_range(samples, found.bits), metadata)


def _metadata(icc: bytes, boxes: Any) -> Metadata:
    """The metadata; libjxl has turned the pixels upright already."""
    contents = {bytes(box.box_type): bytes(box.data) for box in boxes}
    exif = contents.get(b"Exif", b"")
    if not exif.startswith(EXIF):  # some writers leave the offset of its start out
        exif = exif[4 + int.from_bytes(exif[:4], "big") :]
    grey = [said for name, said in GREYS.items() if name.encode("utf-16-be") in icc]
    cicp = _numbers(icc)
    parts = declared.of_numbers(*cicp) if cicp else grey[0] if grey else {}
    colour = declared.build(parts)  # says all that the profile says, which libjxl made from it
    xmp = contents.get(b"xml ", b"")
    return of_parts(b"" if parts else icc, exif, xmp, colour)[0]


def _numbers(icc: bytes) -> tuple[int, int] | None:
    """Primaries and transfer function of the tag cicp (ICC.1:2022, section 9.2.17) of a profile."""
    for at in range(132, min(len(icc), 132 + 12 * 100), 12):
        name, place = icc[at : at + 4], int.from_bytes(icc[at + 4 : at + 8], "big")
        if name == b"cicp" and icc[place : place + 4] == b"cicp" and len(icc) >= place + 12:
            return icc[place + 8], icc[place + 9]
    return None


# -- the start of a codestream (ISO/IEC 18181-1, annex D) --------------------------------------


def head(data: bytes) -> Head:
    """The start of a JPEG XL file. Raises CorruptError."""
    try:
        return _head(_reader(_codestream(data)))
    except (struct.error, IndexError) as error:
        raise CorruptError("the picture is damaged: its header is cut") from error


def _codestream(data: bytes) -> bytes:
    """The first bytes of the codestream, without the boxes around it."""
    if data.startswith(CODESTREAM):
        return data[len(CODESTREAM) :][:64]
    for kind, content in inside(data):
        if kind in (b"jxlc", b"jxlp"):  # a part of a codestream starts with its number
            return content[(4 if kind == b"jxlp" else 0) + len(CODESTREAM) :][:64]
    raise CorruptError("the picture is damaged: it has no codestream")


def _reader(data: bytes) -> Callable[[int], int]:
    """A function that takes the next n bits, least significant first."""
    number, left = int.from_bytes(data, "little"), 8 * len(data)

    def bits(n: int) -> int:
        nonlocal number, left
        if n > left:
            raise IndexError
        value = number & ((1 << n) - 1)
        number, left = number >> n, left - n
        return value

    return bits


def _head(bits: Callable[[int], int]) -> Head:
    width, height = _size(bits)
    if bits(1):  # all by default
        return Head(width, height)
    animated = False
    if bits(1):  # extra fields
        turned = bits(3) >= 4
        if bits(1):
            _size(bits)  # intrinsic
        if bits(1):
            _preview(bits)
        animated = bool(bits(1))
        if animated:
            for options in ((100, 1000, (10, 1), (30, 1)), (1, 1001, (8, 1), (10, 1))):
                _choice(bits, options)
            _choice(bits, (0, (3, 0), (16, 0), (32, 0)))
            bits(1)
        width, height = (height, width) if turned else (width, height)
    is_float = bool(bits(1))
    depth = _choice(bits, (32, 16, 24, (6, 1)) if is_float else (8, 10, 12, (6, 1)))
    return Head(width, height, depth, is_float, animated)


def _choice(bits: Callable[[int], int], options: tuple[Any, ...]) -> int:
    """One of four: a number, or a pair of how many bits follow and what is added to them."""
    option = options[bits(2)]
    return int(option) if isinstance(option, int) else bits(option[0]) + int(option[1])


def _size(bits: Callable[[int], int]) -> tuple[int, int]:
    """Width and height."""
    sizes = ((9, 1), (13, 1), (18, 1), (30, 1))
    small = bits(1)
    height = 8 * (bits(5) + 1) if small else _choice(bits, sizes)
    ratio = bits(3)
    if ratio:
        across, down = RATIOS[ratio - 1]
        return height * across // down, height
    return (8 * (bits(5) + 1) if small else _choice(bits, sizes)), height


def _preview(bits: Callable[[int], int]) -> None:
    """Read over the size of a preview."""
    by_8 = bits(1)
    sizes = (16, 32, (5, 1), (9, 33)) if by_8 else ((6, 1), (8, 65), (10, 321), (12, 1345))
    _choice(bits, sizes)
    if not bits(3):
        _choice(bits, sizes)
