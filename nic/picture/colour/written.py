"""The metadata that an output format can hold; a note names what it cannot."""

import logging
from dataclasses import replace

from nic.picture.colour import declared
from nic.picture.colour.profile import profile
from nic.picture.metadata import EXIF_PREFIX, MAX_SIZE, Metadata

log = logging.getLogger("nic")

HOLDERS = ("png", "tiff", "jpeg", "webp")  # the formats that hold a profile, EXIF and XMP
MOST = {("jpeg", "exif"): 65533 - len(EXIF_PREFIX), ("jpeg", "xmp"): 65504}  # bytes, in one marker


def fitting(found: Metadata, name: str, grey: bool) -> Metadata:
    """The metadata that format ``name`` can hold, with declared colour as a profile if need be.

    Notes about colour, and about what is too large, are warnings. Others, that a format has no
    place for EXIF or XMP, are only information.
    """
    found = _with_colour(found, name, grey)
    lost = {}
    for kind in ("icc", "exif", "xmp"):
        size = len(getattr(found, kind))
        if size and (name not in HOLDERS or size > MOST.get((name, kind), MAX_SIZE)):
            level = logging.WARNING if kind == "icc" or name in HOLDERS else logging.INFO
            log.log(level, "note: %s of %d bytes cannot be held by %s", kind.upper(), size, name)
            lost[kind] = b""
    return replace(found, **lost)


def _with_colour(found: Metadata, name: str, grey: bool) -> Metadata:
    """The metadata with declared colour in the form that the format holds; notes what is lost."""
    parts = declared.parse(found.colour)
    if not parts or name == "png":
        return found
    lost, icc = dict(parts), found.icc
    if name in HOLDERS:
        icc = icc or profile(parts, grey)
        said = ("cICP", "gAMA", "cHRM", "sRGB") if icc and not declared.is_hdr(parts) else ()
        lost = {part: parts[part] for part in parts if part not in said}
    if lost and not declared.is_srgb(lost):
        log.warning("note: the colour %s cannot be held by %s", declared.text(lost), name)
    return replace(found, icc=icc, colour=b"")
