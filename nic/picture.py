"""Picture files to pixels and back, through imageio and Pillow.

Pixels are uint8 (H, W, 3) or (H, W). What the codec does not hold yet (transparency, more
than 8 bits, CMYK) is refused or, where nothing visible is lost, converted with a note.
"""

import io
import logging
import struct
import warnings
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nic.errors import CorruptError, UsageError

log = logging.getLogger("nic")

Pixels = NDArray[np.uint8]
# What each format is called, and how it is written: fast and small enough for PNG, whose
# default level takes longer than decoding; visually lossless where the format is lossy.
FORMATS: dict[str, dict[str, Any]] = {
    "png": {"compress_level": 1},
    "tiff": {"compression": "tiff_lzw"},
    "jpeg": {"quality": 95},
    "webp": {"lossless": True},
    "bmp": {},
    "ppm": {},
}
# What Pillow's readers raise for damaged files, beside their own errors.
DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError,
          struct.error)  # fmt: skip
DEEP_PNG = b"\x89PNG\x10"  # signature and bits per sample; Pillow reads 16-bit colour as 8
ALIASES = {"jpg": "jpeg", "tif": "tiff", "pgm": "ppm", "pnm": "ppm"}


def format_of(path: str | None) -> str:
    """The output format that a file name asks for; PNG on stdout. Raises UsageError."""
    if path is None or path == "-":
        return "png"
    suffix = PurePath(path).suffix.lower().removeprefix(".")
    name = ALIASES.get(suffix, suffix)
    if name not in FORMATS:
        raise UsageError(f"{path}: unknown picture format; use one of {', '.join(FORMATS)}")
    return name


def read(data: bytes) -> Pixels:
    """Decode a picture file of any format that Pillow reads, upright (EXIF applied).

    Returns: uint8 (H, W, 3), or (H, W) for a grey picture.
    Raises: CorruptError when it is not a sound picture, UsageError when it has transparency.
    """
    if not data:
        raise CorruptError("the input is empty")
    if data.startswith(b"\x89NIC"):
        raise UsageError("this is a nic stream already; decode it with nic-decode")
    import imageio.v3 as iio
    from PIL import Image

    warnings.filterwarnings("ignore", module="PIL")  # of damage and of size: errors say it
    try:
        file = iio.imopen(io.BytesIO(data), "r", plugin="pillow")
    except DAMAGE as error:
        if isinstance(error.__cause__, Image.DecompressionBombError):  # wrapped by imageio
            raise UsageError(f"the picture is too large: {error.__cause__}") from error
        raise CorruptError("this is not a picture that can be read") from error
    try:
        with file:
            facts = file.metadata(index=0)
            mode = str(facts["mode"])
            deep = mode.startswith("I")
            transparent = "A" in mode.removeprefix("LAB") or "transparency" in facts
            wanted = "RGBA" if transparent else "L" if mode in ("1", "L") else "RGB"
            settings: dict[str, Any] = {} if deep else {"mode": wanted}
            pixels = file.read(index=0, rotate=True, **settings)
    except DAMAGE as error:
        raise CorruptError(f"the picture is damaged: {error}") from error
    if mode == "F":
        raise UsageError("the picture has floating-point samples; convert it to 8 bits first")
    if deep or data[:4] + data[24:25] == DEEP_PNG:
        log.warning("note: 16 bits per sample are coded as 8")
    return _eight_bit(pixels) if deep else _opaque(np.asarray(pixels, np.uint8))


def write(pixels: Pixels, name: str) -> bytes:
    """Encode pixels (H, W, 3) or (H, W) as a file of format ``name`` (a key of FORMATS)."""
    import imageio.v3 as iio

    settings = FORMATS[name]
    return bytes(iio.imwrite("<bytes>", pixels, extension=f".{name}", plugin="pillow", **settings))


def _opaque(pixels: Pixels) -> Pixels:
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return pixels
    if pixels[..., 3].min() < 255:
        raise UsageError(
            "the picture is transparent, which nic does not code yet; flatten it first"
        )
    return pixels[..., :3]


def _eight_bit(pixels: NDArray[np.generic]) -> Pixels:
    return np.asarray(np.clip(pixels, 0, 65535) * (255 / 65535) + 0.5, np.uint8)
