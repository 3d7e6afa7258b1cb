"""Pixels to picture files, through Pillow and other libraries."""

import io
import logging
import struct
from dataclasses import replace
from typing import Any

from nic.errors import NicError, UsageError
from nic.models.quiet import native_stderr_closed
from nic.picture import pam
from nic.picture.colour import declared
from nic.picture.files import pnm
from nic.picture.formats import DEEP, FORMATS, LONGEST, WITH_ALPHA
from nic.picture.metadata.writing import fitting, settings_of, tiff_settings
from nic.picture.pixels import Picture, flattened, of_depth
from nic.types import Pixels, depth_of

log = logging.getLogger("nic")

# The errors that Pillow's writers raise for what a format cannot hold.
FAILURES = (OSError, ValueError, TypeError, OverflowError, SystemError, RuntimeError, struct.error)
COLOUR_PGM = "a PGM holds only grey pictures and this one has colour; write a PPM"


def write(picture: Picture | Pixels, name: str) -> bytes:
    """The bytes of a picture file of format ``name``, a key of FORMATS.

    If the format holds only 8 bits, samples of 16 are rounded. If it cannot hold alpha, the picture
    is blended over white; if it cannot hold some metadata, that is left out. A note says so.

    Raises: UsageError for a colour picture as PGM, NicError for a picture that is too large for
        the format.
    """
    from nic.format.channels import npy

    picture = picture if isinstance(picture, Picture) else Picture(picture)
    check_sides(picture.pixels, name)
    if name == "pgm" and picture.pixels.ndim == 3:
        raise UsageError(COLOUR_PGM)
    if name not in DEEP:
        picture = of_depth(picture, 8)
    if name not in WITH_ALPHA:
        note_alpha(picture, name)
        picture = replace(picture, pixels=flattened(picture), alpha=None)
    samples = picture.samples
    found = fitting(picture.metadata, name, picture.pixels.ndim == 2)
    settings = settings_of(found, name)
    if name in ("pam", "npy"):
        return pam.write(samples) if name == "pam" else npy(samples)
    if name == "tiff":
        settings = tiff_settings(settings)
    settings = FORMATS[name] | settings
    data = _written(samples, name, settings)
    if not found.colour:
        return data
    from nic.picture.colour.png import with_colour

    return with_colour(data, declared.parse(found.colour))


def check_sides(pixels: Pixels, name: str) -> None:
    """Raises NicError when a picture (H, W[, 3]) has too long a side for format ``name``."""
    height, width = pixels.shape[:2]
    most, text = LONGEST.get(name, (max(width, height), ""))
    if max(width, height) > most:
        raise NicError(
            f"{name} has sides of at most {text}, and this picture has {width}x{height}; "
            "use another format"
        )


def _written(samples: Pixels, name: str, settings: dict[str, Any]) -> bytes:
    """The bytes that the writer of a format makes. Raises NicError when it fails."""
    if name in ("ppm", "pgm"):  # without Pillow, whose import takes longer
        return pnm.write(samples)
    try:
        with native_stderr_closed():  # libraries print why they fail
            return _by_library(samples, name, settings)
    except FAILURES as error:  # everything is in memory: it is no full disk
        raise NicError(f"the picture cannot be written as {name}: {error}") from error


def _by_library(samples: Pixels, name: str, settings: dict[str, Any]) -> bytes:
    """The bytes of a file that Pillow writes, or for TIFF and 16 bits another library."""
    if name == "tiff" or depth_of(samples) == 16:
        from nic.picture.files import deep

        return (deep.write_tiff if name == "tiff" else deep.write_png)(samples, settings)
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(samples).save(out, name, **settings)
    return out.getvalue()


def note_alpha(picture: Picture, name: str) -> bool:
    """Log a note if the picture has alpha, which format ``name`` cannot hold; return whether."""
    if picture.alpha is not None:
        log.warning("note: %s cannot hold transparency, which is flattened over white", name)
    return picture.alpha is not None
