"""HEIC through pillow-heif, and AVIF of more than 8 bits through imagecodecs."""

import io
import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nic.errors import CorruptError
from nic.limits import Limit, Work
from nic.models.quiet import loggers_quiet, native_stderr_closed
from nic.picture import extra
from nic.picture.colour import declared
from nic.picture.extra import boxes
from nic.picture.files.decoded import Decoded, full_range, unmultiplied, with_alpha_last
from nic.picture.metadata import Metadata
from nic.picture.metadata.reading import of_parts, of_sides

log = logging.getLogger("nic")

GAIN_MAP = "hdrgainmap"  # in the name of an auxiliary picture


def is_heic(data: bytes) -> bool:
    """Whether a file is HEIC; AVIF has the same container."""
    found = boxes.brands(data)
    return any(b in boxes.HEIC for b in found) and not any(b in boxes.AVIF for b in found)


def read(data: bytes, limit: Limit) -> Decoded:
    """The main picture of a HEIC file.

    Raises: UsageError when pillow-heif is not installed, CorruptError for damage, NicError when the
        picture is larger than ``limit``. pillow-heif raises other errors for damage too.
    """
    pillow_heif = extra.needed("pillow_heif", "a HEIC picture")
    with native_stderr_closed():
        file = pillow_heif.open_heif(
            io.BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False
        )
        image = file[file.primary_index]
    width, height = image.size
    limit.check(width, height, Work.PICTURE)
    with native_stderr_closed():
        samples = np.array(image)  # a copy: the memory is that of the file, which is closed
    note_others(file, image)
    decoded = with_alpha_last(full_range(samples, int(image.info["bit_depth"])))
    pixels = decoded.pixels
    if decoded.alpha is not None and image.premultiplied_alpha:
        pixels = unmultiplied(pixels, decoded.alpha)
    found = of_sides(_metadata(image.info, data), width, height)
    return Decoded(pixels, decoded.alpha, found)


def _metadata(facts: dict[str, Any], data: bytes) -> Metadata:
    """The metadata; libheif has turned the pixels upright already."""
    icc = facts.get("icc_profile") or b""
    colour = declared.build(boxes.facts(data).parts)
    return of_parts(icc, facts.get("exif") or b"", facts.get("xmp") or b"", colour)[0]


def note_others(file: Any, image: Any) -> None:
    """Log a note for further pictures of a file, and for the gain map of its main picture."""
    if len(file) > 1:
        log.warning("note: only the first of several pictures is coded")
    lost = [name for name in image.info.get("aux") or {} if GAIN_MAP in name.lower()]
    if lost:
        log.warning("note: the gain map for HDR displays is not kept")


def deep_avif(data: bytes) -> NDArray[np.uint16] | None:
    """The samples of an AVIF file of more than 8 bits, scaled to 16: (H, W) or (H, W, 3 or 4).

    Returns: None for 8 bits, which Pillow reads.
    Raises: CorruptError.
    """
    bits = boxes.facts(data).bits
    if bits <= 8:
        return None
    import imagecodecs

    with loggers_quiet(), native_stderr_closed():
        try:
            samples = np.asarray(imagecodecs.avif_decode(data, index=0))
        except imagecodecs.AvifError as error:
            raise CorruptError(f"the picture is damaged: {error}") from error
    return np.asarray(full_range(samples, bits), np.uint16)
