"""Metadata of pictures: ICC profile, EXIF, XMP, declared colour and resolution.

In a record each is an ancillary chunk; the first three are compressed with zlib. Pixels are stored
upright. So the orientation in EXIF and XMP is set to 1, "upright", and no viewer turns the picture
again.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal, Self

from nic.errors import CorruptError
from nic.format.chunks import ANCILLARY, Chunk
from nic.picture.colour import declared
from nic.picture.metadata import resolution

Keep = Literal["all", "icc", "none"]
KEEP: tuple[Keep, ...] = ("all", "icc", "none")
NAMES = {kind.letter: kind.name for kind in ANCILLARY}
# The kinds that are not compressed, and what raises CorruptError for a damaged payload.
PLAIN: dict[str, Callable[[bytes], object]] = {
    "colour": declared.parse,
    "resolution": resolution.check,
}
MAX_SIZE = 1 << 24  # bytes of each kind, decompressed
EXIF_PREFIX = b"Exif\0\0"  # stands before EXIF in JPEG; not stored
XMP_KEYWORD = "XML:com.adobe.xmp"  # of the text in a PNG that is XMP


@dataclass(frozen=True)
class Metadata:
    """The bytes of each kind, b"" for none; EXIF is a TIFF structure without JPEG's prefix.

    ``colour`` is the payload of chunk c, see ``nic.picture.colour.declared``, and ``resolution``
    that of chunk r, see ``nic.picture.metadata.resolution``.
    """

    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    colour: bytes = b""
    resolution: bytes = b""

    def __bool__(self) -> bool:
        return bool(self.kinds)

    @property
    def kinds(self) -> list[str]:
        """Names of the kinds that are not empty."""
        return [kind.name for kind in fields(self) if getattr(self, kind.name)]

    def only(self, keep: Keep) -> Self:
        """The metadata reduced to the kinds that ``keep`` names; colour counts as ICC."""
        colours = type(self)(icc=self.icc, colour=self.colour)
        return {"all": self, "icc": colours, "none": type(self)()}[keep]


NOTHING = Metadata()


def unwanted(keep: Keep) -> set[bytes]:
    """Letters of the chunks whose metadata ``keep`` leaves out."""
    kept = Metadata(**dict.fromkeys(NAMES.values(), b"-")).only(keep).kinds
    return {letter for letter, name in NAMES.items() if name not in kept}


# -- chunks -----------------------------------------------------------------------------------


def to_chunks(metadata: Metadata) -> tuple[Chunk, ...]:
    """The metadata as ancillary chunks of a record."""
    return tuple(
        Chunk(letter, content if kind in PLAIN else zlib.compress(content, 9))
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
        if kind in PLAIN:
            PLAIN[kind](payload)
        found[kind] = payload if kind in PLAIN else _decompressed(payload, kind)
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
