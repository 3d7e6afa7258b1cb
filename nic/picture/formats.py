"""Picture formats: what each is called, how it is written, and which of them are read."""

from pathlib import PurePath
from typing import Any

from nic.errors import UsageError

# How each format is written: fast and small enough for PNG, whose default level takes longer
# than decoding; visually lossless where the format is lossy.
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
ALIASES = {"jpg": "jpeg", "tif": "tiff", "pnm": "ppm"}
# The formats that are read: Pillow's without those that run another program (EPS), or lead to
# data outside the file.
READERS = ("PNG", "JPEG", "MPO", "TIFF", "WEBP", "GIF", "BMP", "DIB", "PPM", "TGA", "PCX", "ICO",
           "JPEG2000", "AVIF", "SGI", "QOI", "DDS", "XBM", "ICNS", "PSD", "SUN")  # fmt: skip


def format_of(path: str | None) -> str:
    """The output format that a file name asks for; PNG on stdout. Raises UsageError."""
    if path is None or path == "-":
        return "png"
    suffix = PurePath(path).suffix.lower().removeprefix(".")
    name = ALIASES.get(suffix, suffix)
    if name not in FORMATS:
        raise UsageError(f"{path}: unknown picture format; use one of {', '.join(FORMATS)}")
    return name
