"""Pixels and alpha of an image that Pillow has loaded, with all bits of its file."""

import logging
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nic.errors import UsageError
from nic.picture.pixels import Picture
from nic.picture.png import SIGNATURE
from nic.types import Pixels

log = logging.getLogger("nic")

AT_A_TIME = 1 << 20  # pixels
DEEP = b"\x10"  # in a PNG, at offset 24: 16 bits per sample


def note_channels(image: Any, data: bytes) -> None:
    """Log a note if a Photoshop file has channels that Pillow does not read."""
    lost = int.from_bytes(data[12:14], "big") - len(image.getbands())
    if image.format == "PSD" and lost > 0:
        log.warning("note: channels of the Photoshop file that are not kept: %d", lost)


def planes_of(image: Any, data: bytes) -> tuple[Pixels, Pixels | None]:
    """Pixels (H, W[, 3]) and alpha (H, W) or None of a loaded image.

    Args: data: its file, or empty.
    Raises: UsageError for samples that cannot be coded.
    """
    if (samples := _deep(image, data)) is not None:
        found = Picture.of_samples(samples)
        return found.pixels, found.alpha
    if image.mode == "F":
        raise UsageError("the picture has floating-point samples; convert it to 8 bits first")
    if image.mode == "LAB":
        raise UsageError("the picture is in CIELAB; convert it to RGB first")
    if image.mode.startswith("I"):  # Pillow has more than 8 bits only for grey without alpha
        values, key = np.asarray(image), image.info.get("transparency")
        alpha = None if key is None else np.where(values == key, 0, 65535).astype(np.uint16)
        return np.clip(values, 0, 65535).astype(np.uint16), alpha
    if (bits := _stored_bits(image, data)) > 8:
        log.warning("note: %d bits per sample are read as 8", bits)
    key = image.info.get("transparency")
    if key is not None and image.mode in ("1", "L") and data.startswith(SIGNATURE):
        most = (1 << data[24]) - 1  # Pillow scales the samples to 8 bits, but not the key
        image.info["transparency"] = (key & most) * 255 // most
    grey = image.mode in ("1", "L", "LA", "La")
    if not image.has_transparency_data:
        if image.format == "BMP" and _has_mask_of_alpha(data):
            log.warning("note: the transparency of a BMP of 16 bits per pixel is not kept")
        return _converted(image, "L" if grey else "RGB"), None
    samples = _converted(image, "LA") if grey else _converted(image, "RGBA")
    pixels = samples[..., 0] if grey else samples[..., :3]
    return np.ascontiguousarray(pixels), np.ascontiguousarray(samples[..., -1])


def _converted(image: Any, mode: str) -> NDArray[np.uint8]:
    """The samples of an image in another mode, (H, W), or (H, W, n) for n bands.

    It is converted some rows at a time, because Pillow holds four copies meanwhile.
    """
    (width, height), bands = image.size, len(mode)
    out = np.empty((height, width) if bands == 1 else (height, width, bands), np.uint8)
    step = max(1, AT_A_TIME // width)
    for top in range(0, height, step):
        rows = image.crop((0, top, width, min(top + step, height)))
        out[top : top + step] = np.asarray(rows.convert(mode))
    return out


def _deep(image: Any, data: bytes) -> Pixels | None:
    """The samples of a file with 16 bits that Pillow reads as 8, alpha last; None for others."""
    if data.startswith(SIGNATURE) and data[24:25] == DEEP:
        from nic.picture.files import deep

        return deep.read_png(data)
    if image.format == "AVIF" and data:
        from nic.picture.extra import heif

        return heif.deep_avif(data)
    if image.format == "JPEG2000" and data:
        from nic.picture.extra import jpeg2000

        return jpeg2000.deep(data)
    return None


def _stored_bits(image: Any, data: bytes) -> int:
    """Bits per sample in a file of which Pillow gives 8; 0 where they are 8 or fewer."""
    if image.format == "SGI" and data:
        return 8 * data[3]
    if image.format == "DDS" and getattr(image, "pixel_format", "").startswith("BC6H"):
        return 16
    if image.format == "JPEG2000" and data:
        from nic.picture.extra import jpeg2000

        return max(jpeg2000.depths(data), default=0)
    return 0


def _has_mask_of_alpha(data: bytes) -> bool:
    """Whether a BMP says in which bits of a pixel its alpha is; of 16 bits, Pillow reads none."""
    size, bits, compression = struct.unpack_from("<I10xHI", data.ljust(70, b"\0"), 14)
    return size >= 56 and bits == 16 and compression == 3 and any(data[66:70])
