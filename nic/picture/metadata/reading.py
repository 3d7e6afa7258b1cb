"""Metadata of picture files, as a record has it."""

import logging
from dataclasses import replace
from typing import Any

from nic.picture.metadata import EXIF_PREFIX, MAX_SIZE, XMP_KEYWORD, Metadata, resolution
from nic.picture.metadata.tags import DAMAGE, X_RESOLUTION, of_tags
from nic.picture.metadata.upright import turned, upright, with_sides

log = logging.getLogger("nic")

# Resolutions that programs write without being asked; they say nothing of the picture.
UNASKED = [resolution.of_dpi((dots, dots)) for dots in (72, 96)]
IPTC = 0x0404  # the number of this block in a JPEG's segment of Photoshop


def of_file(image: Any, colour: bytes = b"") -> tuple[Metadata, int]:
    """The metadata of a picture that Pillow has loaded, and the orientation of its pixels.

    The orientation is 1 to 8 as in EXIF, or 0 if none is given. EXIF comes before XMP. In the
    returned metadata both are set to upright. The orientation of TIFF needs no action: Pillow
    turns the pixels itself.
    """
    facts, tiff = image.info, image.format == "TIFF"
    exif = of_tags(image.getexif()) if tiff else _bytes(facts.get("exif"))
    xmp = _bytes(facts.get("xmp"))
    found, turn = of_parts(_bytes(facts.get("icc_profile")), exif, xmp, colour)
    return replace(found, resolution=_resolution(image)), 0 if tiff else turn


def note_lost(image: Any) -> None:
    """Log a note for text in a picture that Pillow has loaded and that nic does not keep."""
    if image.format in ("JPEG", "MPO", "GIF") and (comment := image.info.get("comment")):
        log.warning("note: comment of %d bytes is not kept", len(comment))
    blocks = image.info.get("photoshop")
    if isinstance(blocks, dict) and IPTC in blocks:
        log.warning("note: IPTC of %d bytes is not kept", len(blocks[IPTC]))
    if text := [key for key in getattr(image, "text", {}) if key != XMP_KEYWORD]:
        log.info("note: text of the file is not kept: %s", ", ".join(text))


def _resolution(image: Any) -> bytes:
    """Chunk r, if the file says a resolution in another place than EXIF."""
    if image.format not in ("PNG", "JPEG", "MPO", "BMP", "DIB") or "dpi" not in image.info:
        return b""
    try:
        in_exif = X_RESOLUTION in image.getexif()
    except DAMAGE:
        in_exif = False
    dots = resolution.of_dpi(image.info["dpi"])
    return b"" if in_exif or dots in UNASKED else dots


def of_parts(icc: bytes, exif: bytes, xmp: bytes, colour: bytes = b"") -> tuple[Metadata, int]:
    """Metadata as a picture file has it, made upright, and the orientation that it had or 0.

    EXIF comes before XMP. What is too large is left out, with a note.
    """
    exif, xmp, turn = upright(exif.removeprefix(EXIF_PREFIX), xmp)
    found = {"icc": icc, "exif": exif, "xmp": xmp, "colour": colour}
    for kind, content in found.items():
        if len(content) > MAX_SIZE:
            log.warning("note: %s of %d bytes is not kept", kind.upper(), len(content))
    kept = {kind: content for kind, content in found.items() if len(content) <= MAX_SIZE}
    return Metadata(**kept), turn


def of_sides(found: Metadata, width: int, height: int) -> Metadata:
    """The metadata of a picture of these sides that its decoder has turned upright."""
    exif, xmp = with_sides(found.exif, found.xmp, width, height)
    return replace(found, exif=exif, xmp=xmp)


def of_turned(found: Metadata, turn: int) -> Metadata:
    """The metadata of a picture whose pixels were turned upright from orientation ``turn``."""
    exif, xmp = turned(found.exif, found.xmp, turn)
    dots = resolution.exchanged(found.resolution) if turn >= 5 else found.resolution
    return replace(found, exif=exif, xmp=xmp, resolution=dots)


def _bytes(value: object) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value) if value else b""  # type: ignore[call-overload]
