"""CMYK to RGB: through the profile of the picture if it has one, or else naively."""

import io
import logging
from dataclasses import replace
from typing import Any

import numpy as np

from nic.picture.metadata import Metadata
from nic.picture.pixels import with_depth
from nic.types import Pixels, depth_of, peak

log = logging.getLogger("nic")

NAIVE = "note: CMYK is converted to RGB without a profile"


def without_inks(image: Any, found: Metadata) -> tuple[Any, Metadata]:
    """A Pillow image of mode CMYK in sRGB, and its metadata without the profile."""
    made = _through_profile(image, found.icc) if found.icc else None
    if made is None:
        log.warning(NAIVE)
        made = image.convert("RGB")
    return made, replace(found, icc=b"")


def to_rgb(inks: Pixels, found: Metadata) -> tuple[Pixels, Metadata]:
    """``without_inks`` for samples (H, W, 4), full range is all ink.

    Returns: pixels (H, W, 3), of 8 bits if a profile was used, and the metadata.
    """
    if found.icc:
        from PIL import Image

        if depth_of(inks) == 16:
            log.warning("note: 16 bits per sample of CMYK are coded as 8")
        made = _through_profile(Image.fromarray(with_depth(inks, 8), "CMYK"), found.icc)
        if made is not None:
            return np.asarray(made, np.uint8), replace(found, icc=b"")
    log.warning(NAIVE)
    white = peak(inks)
    light = white - inks.astype(np.uint32)
    mixed = (light[..., :3] * light[..., 3:] + white // 2) // white
    return np.asarray(mixed, inks.dtype), replace(found, icc=b"")


def _through_profile(image: Any, icc: bytes) -> Any:
    """A Pillow image of mode CMYK in sRGB; None, with a note, if its profile is unusable."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        made = ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            "RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        log.warning("note: the profile of the CMYK picture cannot be used")
        return None
    log.warning("note: CMYK is converted to RGB through its profile")
    return made
