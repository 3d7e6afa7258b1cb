"""Picture files to pixels and back, through imageio and Pillow.

What the codec does not hold (more than 8 bits, CMYK, further frames) is converted or left
out with a note.
"""

import io
import logging
import re
import struct
import warnings
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nic.errors import CorruptError, UsageError
from nic.models.quiet import native_stderr_closed
from nic.picture import metadata, pam, png
from nic.picture.alpha import simplified
from nic.picture.limits import Limit, Work
from nic.picture.metadata import NOTHING, Keep, Metadata

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
    "pgm": {},
    "pam": {},
    "npy": {},
}
WITH_ALPHA = ("png", "tiff", "webp", "pam", "npy")
EXTENSIONS = {"pgm": ".ppm"}  # by which imageio chooses a writer
COLOUR_PGM = "a PGM holds grey pictures alone and this one has colour; write a PPM"
# What Pillow's readers raise for damaged files, beside their own errors.
DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError,
          AssertionError, AttributeError, struct.error)  # fmt: skip
# PGM and PPM: kind, width, height and maximum, separated by white space and comments.
_GAP = rb"(?:[ \t\r\n\v\f]|#[^\r\n]*[\r\n])+"
PNM = re.compile(rb"P([2356])" + (_GAP + rb"([0-9]{1,9})") * 3 + rb"[ \t\r\n\v\f]")
BITS_PER_SAMPLE = 258  # tag of TIFF
DEEP_PNG = b"\x89PNG\x10"  # signature and bits per sample; Pillow reads 16-bit colour as 8
DEEP_GREY_ALPHA = DEEP_PNG + b"\4"  # ... and grey with alpha as colour
# What is read: Pillow's formats without those that run another program (EPS), or lead to data
# outside the file.
READERS = ("PNG", "JPEG", "MPO", "TIFF", "WEBP", "GIF", "BMP", "DIB", "PPM", "TGA", "PCX", "ICO",
           "JPEG2000", "AVIF", "SGI", "QOI", "DDS", "XBM", "ICNS", "PSD", "SUN")  # fmt: skip
ANY = Limit()
ALIASES = {"jpg": "jpeg", "tif": "tiff", "pnm": "ppm"}


@dataclass(frozen=True)
class Picture:
    """Pixels, uint8 (H, W, 3) or (H, W) for grey, and what else a file says.

    ``alpha`` is uint8 (H, W), 255 opaque; None when all is.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    metadata: Metadata = NOTHING

    @property
    def samples(self) -> Pixels:
        """uint8 (H, W) or (H, W, 2..4), alpha last."""
        return self.pixels if self.alpha is None else np.dstack([self.pixels, self.alpha])


def format_of(path: str | None) -> str:
    """The output format that a file name asks for; PNG on stdout. Raises UsageError."""
    if path is None or path == "-":
        return "png"
    suffix = PurePath(path).suffix.lower().removeprefix(".")
    name = ALIASES.get(suffix, suffix)
    if name not in FORMATS:
        raise UsageError(f"{path}: unknown picture format; use one of {', '.join(FORMATS)}")
    return name


def read(data: bytes, limit: Limit = ANY, keep: Keep = "all") -> Picture:
    """Decode a picture file, whatever its format, upright (EXIF applied) and in 8 bits.

    Args: keep: which metadata to keep.
    Returns: grey pictures as grey, and alpha only where it is not opaque everywhere.
    Raises: CorruptError when it is not a sound picture, UsageError when its samples cannot be
        coded, NicError when it is larger than ``limit``.
    """
    if not data:
        raise CorruptError("the input is empty")
    if data.startswith(b"\x89NIC"):
        raise UsageError("this is a nic stream already; decode it with nic-decode")
    if data.startswith(pam.MAGIC):
        return _of_samples(pam.read(data, limit))
    image = _opened(data, limit)
    try:
        with native_stderr_closed():  # libtiff speaks for itself
            if image.format == "PNG":  # decoding does not look at checksums
                type(image)(io.BytesIO(data)).verify()
            image.load()
            if image.format == "PNG":
                png.check_rows(data, image)
            several = image.format != "MPO" and getattr(image, "is_animated", False)
        found, turn = metadata.of_file(image)
        pixels, alpha = _planes(image, data)
    except DAMAGE as error:
        raise CorruptError(f"the picture is damaged: {error}") from error
    if several:
        log.warning("note: only the first of several frames is coded")
    if image.mode == "CMYK":
        log.warning("note: CMYK is converted to RGB")
        found = replace(found, icc=b"")
    alpha = simplified(alpha)
    return Picture(
        _turned(pixels, turn), None if alpha is None else _turned(alpha, turn), found.only(keep)
    )


def _opened(data: bytes, limit: Limit) -> Any:
    """The picture, opened by Pillow and seen to be of a size and format that is read."""
    from PIL import Image

    warnings.filterwarnings("ignore", module="PIL")  # of damage and of size: errors say it
    Image.MAX_IMAGE_PIXELS = None  # the limit is ours
    try:
        with native_stderr_closed():
            image = Image.open(io.BytesIO(data))
    except DAMAGE as error:
        raise CorruptError("this is not a picture that can be read") from error
    if image.format not in READERS:
        raise CorruptError(f"pictures of format {image.format} are not read")
    limit.check(*image.size, Work.PICTURE)
    return image


def _planes(image: Any, data: bytes) -> tuple[Pixels, Pixels | None]:
    """Pixels of 8 bits, and alpha, of a picture that Pillow has loaded."""
    bits = _bits(image, data)
    if image.mode == "F":
        raise UsageError("the picture has floating-point samples; convert it to 8 bits first")
    if image.mode == "LAB":
        raise UsageError("the picture is in CIELAB; convert it to RGB first")
    if bits > 8:
        log.warning("note: %d bits per sample are coded as 8", bits)
    key = image.info.get("transparency")
    if image.mode.startswith("I"):  # Pillow has grey alone in more than 8 bits
        values = np.asarray(image)
        alpha = None if key is None else np.where(values == key, 0, 255).astype(np.uint8)
        return _eight_bit(values, (1 << bits) - 1), alpha
    if bits == 16 and isinstance(key, tuple):  # Pillow has the high bytes of the samples
        image.info["transparency"] = tuple(value >> 8 for value in key)
    grey = image.mode in ("1", "L", "LA", "La") or data[:4] + data[24:26] == DEEP_GREY_ALPHA
    if not image.has_transparency_data:
        return np.array(image.convert("L" if grey else "RGB"), np.uint8), None
    rgba = np.array((image.convert("LA") if grey else image).convert("RGBA"), np.uint8)
    pixels = rgba[..., 0] if grey else rgba[..., :3]
    return np.ascontiguousarray(pixels), np.ascontiguousarray(rgba[..., 3])


def _bits(image: Any, data: bytes) -> int:
    """Bits per sample in the file."""
    if image.format == "TIFF":
        return int(max(image.tag_v2.get(BITS_PER_SAMPLE, (1,))))
    if data[:4] + data[24:25] == DEEP_PNG:
        return 16
    pnm = PNM.match(data)
    return 16 if image.mode.startswith("I") or (pnm and int(pnm[4]) > 255) else 8


def _eight_bit(values: NDArray[np.generic], most: int) -> Pixels:
    return np.asarray(np.clip(values, 0, most) * (255 / most) + 0.5, np.uint8)


def _turned(plane: Pixels, orientation: int) -> Pixels:
    """A plane (H, W[, C]) as it is to be seen, given the orientation that EXIF says it has."""
    if orientation in (3, 4, 7):
        plane = plane[::-1]
    if orientation in (2, 3, 7):
        plane = plane[:, ::-1]
    if orientation in (5, 6, 7, 8):
        plane = plane.swapaxes(0, 1)
    if orientation == 6:
        plane = plane[:, ::-1]
    if orientation == 8:
        plane = plane[::-1]
    return np.ascontiguousarray(plane)


def _of_samples(samples: Pixels) -> Picture:
    """The picture of samples (H, W, C), C of 1 to 4, alpha last."""
    depth = samples.shape[2]
    alpha = simplified(samples[..., -1]) if depth in (2, 4) else None
    return Picture(samples[..., 0] if depth < 3 else samples[..., :3], alpha)


def write(picture: Picture | Pixels, name: str) -> bytes:
    """Encode a picture as a file of format ``name`` (a key of FORMATS).

    Alpha that it cannot hold is flattened over white, and metadata is left out, with a note.
    Raises: UsageError for a colour picture as PGM.
    """
    import imageio.v3 as iio

    from nic.format.channels import npy

    picture = picture if isinstance(picture, Picture) else Picture(picture)
    if name == "pgm" and picture.pixels.ndim == 3:
        raise UsageError(COLOUR_PGM)
    if name not in WITH_ALPHA:
        note_alpha(picture, name)
        picture = replace(picture, pixels=flattened(picture), alpha=None)
    samples = picture.samples
    settings = metadata.settings(picture.metadata, name)
    if name in ("pam", "npy"):
        return pam.write(samples) if name == "pam" else npy(samples)
    if name == "tiff":
        settings = metadata.tiff_settings(settings)
    settings = FORMATS[name] | settings
    extension = EXTENSIONS.get(name, f".{name}")
    return bytes(iio.imwrite("<bytes>", samples, extension=extension, plugin="pillow", **settings))


def note_alpha(picture: Picture, name: str) -> bool:
    """Say that format ``name`` cannot hold alpha, if there is any; whether there is."""
    if picture.alpha is not None:
        log.warning("note: %s cannot hold transparency, which is flattened over white", name)
    return picture.alpha is not None


def flattened(picture: Picture) -> Pixels:
    """Pixels of the picture over white."""
    if picture.alpha is None:
        return picture.pixels
    alpha = picture.alpha if picture.pixels.ndim == 2 else picture.alpha[..., None]
    over = picture.pixels * alpha.astype(np.uint16) + 255 * (255 - alpha.astype(np.uint16))
    return ((over + 127) // 255).astype(np.uint8)
