"""The tags of a TIFF file that describe the picture, as EXIF."""

import logging
import struct
import warnings
from io import BytesIO
from typing import Any

from nic.picture.metadata import EXIF_PREFIX

log = logging.getLogger("nic")

XMP_TAG = 700
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, IN_INCHES = 282, 283, 296, 2
# Descriptions, camera, resolution, dates, authors, ratings, and the directories EXIF and GPS. Other
# tags say how the pixels are stored.
DESCRIPTIVE = {270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 33432, 34665, 34853, 18246,
               18249, *range(40091, 40096)}  # fmt: skip
DIRECTORIES = (34665, 34853)
EMPTY_EXIF = 14  # bytes of a TIFF structure without a tag
# The errors that Pillow raises for damaged EXIF.
DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError,
          struct.error)  # fmt: skip


def of_directory(data: bytes, offset: int, big: bool) -> bytes:
    """EXIF made of the directory at ``offset`` of a TIFF file, of a BigTIFF if ``big``."""
    from PIL import Image

    exif = Image.Exif()
    exif.bigtiff, exif.endian = big, "<" if data.startswith(b"II") else ">"
    try:
        with warnings.catch_warnings(action="ignore"):
            exif.load_from_fp(BytesIO(data), offset)
            return of_tags(exif)
    except DAMAGE:
        log.warning("note: the EXIF data is damaged and is not kept")
        return b""


def of_tags(exif: Any) -> bytes:
    """EXIF made of the descriptive tags of a TIFF file; b"" if there are none."""
    tags = descriptive(exif)
    content = bytes(tags.tobytes()).removeprefix(EXIF_PREFIX)
    return content if len(content) > EMPTY_EXIF else b""


def descriptive(exif: Any) -> Any:
    """The descriptive tags of Pillow's ``Image.Exif``, as another."""
    from PIL import Image

    kept = Image.Exif()
    for tag in DESCRIPTIVE & set(exif):
        if tag in DIRECTORIES:
            kept.get_ifd(tag).update(exif.get_ifd(tag))
        else:
            kept[tag] = exif[tag]
    return kept
