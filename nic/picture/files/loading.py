"""The pixels of a file that Pillow has opened: files without an end, frames below their canvas."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from nic.models.quiet import native_stderr_closed
from nic.types import Pixels

log = logging.getLogger("nic")

Box = tuple[int, int, int, int]


def loaded(image: Any, data: bytes, opened: Callable[[bytes], Any]) -> Any:
    """The image with its pixels, even if a JPEG lacks its end marker.

    Args:
        data: the file.
        opened: opens a file with Pillow.
    Raises: Pillow's errors for damage.
    """
    with native_stderr_closed():  # libtiff prints its own messages
        ends_early = False
        if image.format == "JPEG":  # looked at before there are pixels, which would take memory
            from nic.picture.files import jpeg

            ends_early = jpeg.lacks_pixels(data, opened)
        try:
            image.load()
        except OSError:
            from nic.picture.files import jpeg

            whole = jpeg.completed(data, opened) if image.format in ("JPEG", "MPO") else None
            if whole is None:
                raise
            image = opened(whole)
            image.load()
        else:
            if ends_early:
                log.warning("note: the file ends before the last of its pixels")
            return image
    log.warning("note: the end marker of the file is missing")
    return image


def shown(image: Any) -> Box | None:
    """The part of the picture that the first frame of a GIF covers, before the image is loaded.

    Its left, upper, right and lower bounds; None for the whole. All around it is transparent.
    """
    if image.format != "GIF" or not image.tile:
        return None
    box: Box = tuple(image.tile[0][1])
    return None if box == (0, 0, *image.size) else box


def within(part: Box, alpha: Pixels | None, pixels: Pixels) -> Pixels:
    """The alpha plane (H, W) of 8-bit ``pixels``, with 0 beyond a part of it; None is opaque."""
    left, upper, right, lower = part
    plane = np.zeros(pixels.shape[:2], np.uint8)
    plane[upper:lower, left:right] = 255 if alpha is None else alpha[upper:lower, left:right]
    return plane
