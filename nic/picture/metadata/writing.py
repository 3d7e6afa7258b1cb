"""Metadata for picture files: what a format can hold, and the settings that write it."""

import logging
import warnings
from dataclasses import replace
from typing import Any

from nic.picture.colour import declared
from nic.picture.metadata import EXIF_PREFIX, MAX_SIZE, XMP_KEYWORD, Metadata
from nic.picture.metadata.resolution import to_dpi
from nic.picture.metadata.tags import (
    DAMAGE,
    IN_INCHES,
    RESOLUTION_UNIT,
    X_RESOLUTION,
    XMP_TAG,
    Y_RESOLUTION,
    descriptive,
)

log = logging.getLogger("nic")

HOLDERS = ("png", "tiff", "jpeg", "webp")  # the formats that hold a profile, EXIF and XMP
RESOLUTION = ("png", "tiff", "jpeg", "bmp")  # the formats that hold a resolution
MOST = {("jpeg", "exif"): 65533 - len(EXIF_PREFIX), ("jpeg", "xmp"): 65504}  # bytes, in one marker


def fitting(found: Metadata, name: str, grey: bool) -> Metadata:
    """The metadata that format ``name`` can hold, with declared colour as a profile if need be.

    Notes about colour, and about what is too large, are warnings. Others, that a format has no
    place for EXIF or XMP, are only information.
    """
    found = _with_colour(found, name, grey)
    lost = {}
    for kind in ("icc", "exif", "xmp"):
        content = getattr(found, kind)
        size, most = len(content), MOST.get((name, kind), MAX_SIZE)
        misfit = name == "webp" and kind == "icc" and content[16:20] == b"GRAY"  # it has only RGB
        if size and (name not in HOLDERS or size > most or misfit):
            level = logging.WARNING if kind == "icc" or name in HOLDERS else logging.INFO
            log.log(level, "note: %s of %d bytes cannot be held by %s", kind.upper(), size, name)
            lost[kind] = b""
    if found.resolution and name not in RESOLUTION:
        log.info("note: the resolution cannot be held by %s", name)
        lost["resolution"] = b""
    return replace(found, **lost)


def _with_colour(found: Metadata, name: str, grey: bool) -> Metadata:
    """The metadata with declared colour in the form that the format holds; notes what is lost."""
    parts = declared.parse(found.colour)
    if not parts or name == "png":
        return found
    lost, icc = dict(parts), found.icc
    if name in HOLDERS:
        from nic.picture.colour.profile import profile

        icc = icc or profile(parts, grey and name != "webp")
        said = ("cICP", "gAMA", "cHRM", "sRGB") if icc and not declared.is_hdr(parts) else ()
        lost = {part: parts[part] for part in parts if part not in said}
    if lost and not declared.is_srgb(lost):
        log.warning("note: the colour %s cannot be held by %s", declared.text(lost), name)
    return replace(found, icc=icc, colour=b"")


def settings_of(metadata: Metadata, name: str) -> dict[str, Any]:
    """The settings of Pillow's writer of format ``name`` that write ICC profile, EXIF and XMP.

    Args: metadata: what the format can hold; see ``fitting``.
    """
    told: dict[str, Any] = {}
    for kind in metadata.kinds:
        if kind != "colour":
            told |= _setting(kind, getattr(metadata, kind), name)
    return told


def _setting(kind: str, content: bytes, name: str) -> dict[str, Any]:
    from PIL import PngImagePlugin

    if kind == "resolution":
        return {"dpi": to_dpi(content)}
    if kind == "icc":
        return {"icc_profile": content}
    if kind == "exif":
        return {"exif": EXIF_PREFIX + content}
    if name != "png":
        return {"xmp": content}
    text = PngImagePlugin.PngInfo()
    text.add_itxt(XMP_KEYWORD, content.decode("utf-8", "replace"))
    return {"pnginfo": text}


def tiff_settings(told: dict[str, Any]) -> dict[str, Any]:
    """``settings`` changed for TIFF, where EXIF and XMP are tags of the file itself.

    Maker notes and thumbnails are left out: they refer to offsets in the EXIF data.
    """
    from PIL import Image

    exif = Image.Exif()
    try:
        with warnings.catch_warnings(action="ignore"):  # about damage; the readable part is kept
            exif.load(told.pop("exif", b""))
            tags = descriptive(exif)
    except DAMAGE:
        log.warning("note: the EXIF data is damaged and is not written")
        tags = Image.Exif()
    if dots := told.pop("dpi", None):
        tags[X_RESOLUTION], tags[Y_RESOLUTION] = dots
        tags[RESOLUTION_UNIT] = IN_INCHES
    if "xmp" in told:
        tags[XMP_TAG] = told.pop("xmp")
    return {**told, "exif": tags.tobytes()}
