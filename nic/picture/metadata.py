"""Metadata of pictures: ICC profile, EXIF, XMP and declared colour.

In a record each is an ancillary chunk; all but colour are compressed with zlib. Pixels are stored
upright. So the orientation in EXIF and XMP is set to 1, "upright", and no viewer turns the picture
again.
"""

import io
import logging
import re
import struct
import warnings
import zlib
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

from nic.errors import CorruptError
from nic.format.chunks import ANCILLARY, Chunk
from nic.picture.colour import declared

log = logging.getLogger("nic")

Keep = Literal["all", "icc", "none"]
KEEP: tuple[Keep, ...] = ("all", "icc", "none")
NAMES = {kind.letter: kind.name for kind in ANCILLARY}
PLAIN = "colour"  # the kind that is not compressed
MAX_SIZE = 1 << 24  # bytes of each kind, decompressed
EXIF_PREFIX = b"Exif\0\0"  # stands before EXIF in JPEG; not stored
XMP_TAG = 700  # in TIFF
# The tags of a TIFF file that describe the picture: descriptions, camera, resolution, dates,
# authors, ratings, and the directories EXIF and GPS. Other tags say how the pixels are stored.
DESCRIPTIVE = {270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 33432, 34665, 34853, 18246,
               18249, *range(40091, 40096)}  # fmt: skip
DIRECTORIES = (34665, 34853)
EMPTY_EXIF = 14  # bytes of a TIFF structure without a tag
ORIENTATION = 0x0112
XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>)\s*)([1-8])(?![0-9])""")
# The errors that Pillow raises for damaged EXIF.
DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError,
          struct.error)  # fmt: skip
SHORT, LONG = 3, 4  # EXIF's types of 16-bit and 32-bit numbers


@dataclass(frozen=True)
class Metadata:
    """The bytes of each kind, b"" for none; EXIF is a TIFF structure without JPEG's prefix.

    ``colour`` is the payload of chunk c, see ``nic.picture.colour.declared``.
    """

    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    colour: bytes = b""

    def __bool__(self) -> bool:
        return bool(self.kinds)

    @property
    def kinds(self) -> list[str]:
        """Names of the kinds that are not empty."""
        return [kind.name for kind in fields(self) if getattr(self, kind.name)]

    def only(self, keep: Keep) -> Self:
        """The metadata reduced to the kinds that ``keep`` names; colour counts as ICC."""
        return {"all": self, "icc": replace(self, exif=b"", xmp=b""), "none": type(self)()}[keep]


NOTHING = Metadata()


# -- chunks -----------------------------------------------------------------------------------


def to_chunks(metadata: Metadata) -> tuple[Chunk, ...]:
    """The metadata as ancillary chunks of a record."""
    return tuple(
        Chunk(letter, content if kind == PLAIN else zlib.compress(content, 9))
        for letter, kind in NAMES.items()
        if (content := getattr(metadata, kind))
    )


def from_chunks(chunks: tuple[Chunk, ...]) -> Metadata:
    """Inverse of ``to_chunks``; ignores other chunks. Raises CorruptError."""
    found: dict[str, bytes] = {}
    for letter, payload in chunks:
        kind = NAMES.get(letter)
        if kind is None:
            continue
        if kind in found:
            raise CorruptError(f"damaged: chunk {letter.decode()} comes twice")
        if kind == PLAIN:
            declared.parse(payload)
        found[kind] = payload if kind == PLAIN else _decompressed(payload, kind)
    return Metadata(**found)


def _decompressed(payload: bytes, kind: str) -> bytes:
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(payload, MAX_SIZE)
    except zlib.error as error:
        raise CorruptError(f"the {kind} metadata is damaged: {error}") from error
    if inflate.unconsumed_tail:
        raise CorruptError(f"the {kind} metadata is over {MAX_SIZE} bytes")
    if not inflate.eof or inflate.unused_data:
        raise CorruptError(f"the {kind} metadata is damaged: it ends at the wrong place")
    return content


# -- picture files ----------------------------------------------------------------------------


def of_file(image: Any, colour: bytes = b"") -> tuple[Metadata, int]:
    """The metadata of a picture that Pillow has loaded, and the orientation of its pixels.

    The orientation is 1 to 8 as in EXIF, or 0 if none is given. EXIF comes before XMP. In the
    returned metadata both are set to upright. The orientation of TIFF needs no action: Pillow
    turns the pixels itself.
    """
    facts, tiff = image.info, image.format == "TIFF"
    exif = _of_tags(image.getexif()) if tiff else _bytes(facts.get("exif"))
    xmp = _bytes(facts.get("xmp"))
    found, turn = of_parts(_bytes(facts.get("icc_profile")), exif, xmp, colour)
    return found, 0 if tiff else turn


def of_parts(icc: bytes, exif: bytes, xmp: bytes, colour: bytes = b"") -> tuple[Metadata, int]:
    """Metadata as a picture file has it, made upright, and the orientation that it had or 0.

    EXIF comes before XMP. What is too large is left out, with a note.
    """
    exif, turn = upright_exif(exif.removeprefix(EXIF_PREFIX))
    if not turn and (says := XMP_ORIENTATION.search(xmp)):
        turn = int(says[2])
    found = {"icc": icc, "exif": exif, "xmp": upright_xmp(xmp), "colour": colour}
    for kind, content in found.items():
        if len(content) > MAX_SIZE:
            log.warning("note: %s of %d bytes is not kept", kind.upper(), len(content))
    kept = {kind: content for kind, content in found.items() if len(content) <= MAX_SIZE}
    return Metadata(**kept), turn


def of_tiff(data: bytes, offset: int, big: bool, icc: bytes, xmp: bytes) -> Metadata:
    """The metadata of a TIFF file (a BigTIFF if ``big``) whose directory is at ``offset``.

    The orientation is left to the reader: in TIFF it is a tag of the picture, not of EXIF.
    """
    from PIL import Image

    exif = Image.Exif()
    exif.bigtiff, exif.endian = big, "<" if data.startswith(b"II") else ">"
    try:
        with warnings.catch_warnings(action="ignore"):
            exif.load_from_fp(io.BytesIO(data), offset)
            tags = _of_tags(exif)
    except DAMAGE:
        log.warning("note: the EXIF data is damaged and is not kept")
        tags = b""
    return of_parts(icc, tags, xmp)[0]


def settings(metadata: Metadata, name: str) -> dict[str, Any]:
    """The settings of Pillow's writer of format ``name`` that write ICC profile, EXIF and XMP.

    Args: metadata: what the format can hold, see ``nic.picture.colour.written``.
    """
    told: dict[str, Any] = {}
    for kind in metadata.kinds:
        if kind != "colour":
            told |= _setting(kind, getattr(metadata, kind), name)
    return told


def _setting(kind: str, content: bytes, name: str) -> dict[str, Any]:
    from PIL import PngImagePlugin

    if kind == "icc":
        return {"icc_profile": content}
    if kind == "exif":
        return {"exif": EXIF_PREFIX + content}
    if name != "png":
        return {"xmp": content}
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", content.decode("utf-8", "replace"))
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
            tags = _descriptive(exif)
    except DAMAGE:
        log.warning("note: the EXIF data is damaged and is not written")
        exif, tags = Image.Exif(), Image.Exif()
    if "xmp" in told:
        tags[XMP_TAG] = told.pop("xmp")
    if any(tag in exif for tag in DIRECTORIES):
        told["compression"] = "raw"  # libtiff, which compresses, cannot write directories
    return {**told, "exif": tags.tobytes()}


def _of_tags(exif: Any) -> bytes:
    """EXIF made of the descriptive tags of a TIFF file; b"" if there are none."""
    tags = _descriptive(exif)
    content = bytes(tags.tobytes()).removeprefix(EXIF_PREFIX)
    return content if len(content) > EMPTY_EXIF else b""


def _descriptive(exif: Any) -> Any:
    from PIL import Image

    kept = Image.Exif()
    for tag in DESCRIPTIVE & set(exif):
        if tag in DIRECTORIES:
            kept.get_ifd(tag).update(exif.get_ifd(tag))
        else:
            kept[tag] = exif[tag]
    return kept


def _bytes(value: object) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value) if value else b""  # type: ignore[call-overload]


# -- orientation ------------------------------------------------------------------------------


def upright_xmp(xmp: bytes) -> bytes:
    """XMP with tiff:Orientation set to 1."""
    return XMP_ORIENTATION.sub(rb"\g<1>1", xmp)


def upright_exif(exif: bytes) -> tuple[bytes, int]:
    """EXIF (TIFF 6.0, section 2) with Orientation set to 1, and the orientation that it had.

    The orientation is 0 if EXIF has none. Everything else stays at its offset, because maker
    notes refer to offsets. Only the second directory, with the thumbnail, is unlinked when the
    picture is turned, because the thumbnail is not. EXIF that cannot be read is dropped, with a
    note.
    """
    try:
        return _upright(bytearray(exif)) if exif else (b"", 0)
    except (struct.error, LookupError):
        log.warning("note: the EXIF data is damaged and is not kept")
        return b"", 0


def _upright(exif: bytearray) -> tuple[bytes, int]:
    order = {b"II*\0": "<", b"MM\0*": ">"}[bytes(exif[:4])]
    (at,) = struct.unpack_from(f"{order}I", exif, 4)
    (count,) = struct.unpack_from(f"{order}H", exif, at)
    after = at + 2 + 12 * count
    turn = 0
    for entry in range(at + 2, after, 12):
        tag, kind = struct.unpack_from(f"{order}HH", exif, entry)
        if tag != ORIENTATION:
            continue
        (turn,) = struct.unpack_from(order + ("I" if kind == LONG else "H"), exif, entry + 8)
        struct.pack_into(f"{order}HIHH", exif, entry + 2, SHORT, 1, 1, 0)
        if turn != 1 and after + 4 <= len(exif):
            struct.pack_into(f"{order}I", exif, after, 0)
    return bytes(exif), turn
