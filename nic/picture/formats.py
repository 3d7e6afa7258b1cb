"""Picture formats: their names, how each is written, and which ones are read."""

from pathlib import PurePath
from typing import Any

from nic.errors import UsageError
from nic.types import Depth

# Settings of each format's writer. PNG's default level would take longer than decoding; level 1 is
# fast and small enough. Lossy formats are written visually lossless.
FORMATS: dict[str, dict[str, Any]] = {
    "png": {"compress_level": 1},
    "tiff": {},
    "jpeg": {"quality": 95, "subsampling": 0},  # 4:4:4
    "webp": {"lossless": True},
    "bmp": {},
    "ppm": {},
    "pgm": {},
    "pam": {},
    "npy": {},
}
# The most pixels of a side, and how an error names them.
LONGEST = {"jpeg": (65500, "65535 pixels (in libjpeg 65500)"), "webp": (16383, "16383 pixels")}
WITH_ALPHA = ("png", "tiff", "webp", "pam", "npy")
DEEP = ("png", "tiff", "ppm", "pgm", "pam", "npy")  # can hold 16 bits per sample
ALIASES = {"jpg": "jpeg", "tif": "tiff", "pnm": "ppm"}
# The formats that are read. Some of Pillow's are left out: they run another program (EPS) or refer
# to data outside the file.
READERS = ("PNG", "JPEG", "MPO", "TIFF", "WEBP", "GIF", "BMP", "DIB", "PPM", "TGA", "PCX", "ICO",
           "JPEG2000", "AVIF", "SGI", "QOI", "DDS", "XBM", "ICNS", "PSD", "SUN")  # fmt: skip


def format_of(path: str | None) -> str:
    """The output format by the extension of a file name; PNG for stdout. Raises UsageError."""
    if path is None or path == "-":
        return "png"
    suffix = PurePath(path).suffix.lower().removeprefix(".")
    name = ALIASES.get(suffix, suffix)
    if name not in FORMATS:
        raise UsageError(f"{path}: unknown picture format; use one of {', '.join(FORMATS)}")
    return name


def depth_in(name: str, depth: Depth | None) -> Depth | None:
    """The bits per sample to decode to for a file of format ``name``.

    Args: depth: the depth that is asked for; None for that of the picture.
    Returns: 8, 16, or None for that of the picture.
    Raises: UsageError for 16 bits in a format that cannot hold them.
    """
    if name in DEEP:
        return depth
    if depth == 16:
        raise UsageError(f"{name} cannot hold 16 bits per sample; use one of {', '.join(DEEP)}")
    return 8
