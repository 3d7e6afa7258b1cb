"""CMYK to RGB: through the profile of the picture if it has one, or else naively."""

import io
import logging
from dataclasses import replace
from typing import Any

import numpy as np

from nic.picture.metadata import Metadata
from nic.picture.pixels import with_depth
from nic.types import Pixels, peak

log = logging.getLogger("nic")


def to_rgb(inks: Pixels, found: Metadata) -> tuple[Pixels, Metadata]:
    """The sRGB pixels (H, W, 3) of CMYK samples (H, W, 4), full range is all ink.

    Returns: the pixels, 8 bits if a profile was used, and the metadata without the profile.
    """
    left = replace(found, icc=b"")
    if found.icc:
        from PIL import Image

        image = Image.fromarray(with_depth(inks, 8), "CMYK")
        converted = through_profile(image, found.icc)
        if converted is not None:
            return np.asarray(converted, np.uint8), left
    log.warning("note: CMYK is converted to RGB without a profile")
    white = peak(inks)
    light = white - inks.astype(np.uint32)
    mixed = (light[..., :3] * light[..., 3:] + white // 2) // white
    return np.asarray(mixed, inks.dtype), left


def through_profile(image: Any, icc: bytes) -> Any:
    """A Pillow image of mode CMYK in sRGB; None, with a note, if its profile is unusable."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        made = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"),
            ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )  # fmt: skip
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        log.warning("note: the profile of the CMYK picture cannot be used")
        return None
    log.warning("note: CMYK is converted to RGB through its profile")
    return made
