"""Boxes of AVIF and HEIC files (ISO/IEC 14496-12 and 23008-12): what the main picture declares."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from nic.picture.colour.declared import Parts, of_numbers

AVIF = (b"avif", b"avis")
HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
DAMAGE = (struct.error, IndexError)


@dataclass(frozen=True)
class Facts:
    """What the main picture of a file declares about its samples.

    Attributes:
        bits: per sample; 0 if the file does not say.
        parts: colour, see ``nic.picture.colour.declared``.
    """

    bits: int = 0
    parts: Parts = field(default_factory=dict)


def brands(data: bytes) -> tuple[bytes, ...]:
    """The brands of a file that starts with the box ftyp; none if it does not."""
    if data[4:8] != b"ftyp":
        return ()
    size = min(int.from_bytes(data[:4], "big"), 512)
    return (data[8:12], *(data[at : at + 4] for at in range(16, size - 3, 4)))


def facts(data: bytes) -> Facts:
    """The facts of the main picture; as far as they can be read if the boxes are damaged."""
    found = Facts()
    try:
        for kind, content in _properties(data):
            found = _with(found, kind, content)
    except DAMAGE:
        pass
    return found


def _with(found: Facts, kind: bytes, content: bytes) -> Facts:
    bits, parts = found.bits, dict(found.parts)
    if kind == b"pixi":
        bits = max(content[5 : 5 + content[4]], default=0)
    elif kind == b"av1C" and not bits:  # a file may lack pixi; two flags say 8, 10 or 12 bits
        bits = (8, 8, 10, 12)[content[2] >> 5 & 3]
    elif kind == b"colr" and content[:4] == b"nclx":
        parts |= of_numbers(*struct.unpack_from(">HH", content, 4))
    elif kind == b"clli":  # in cd/m2; PNG counts in 0.0001 of it
        levels = struct.unpack_from(">HH", content)
        parts["cLLI"] = struct.pack(">II", *(10_000 * level for level in levels))
    elif kind == b"mdcv":  # green, blue, red, white and luminances; PNG has red first
        green, blue, red, rest = content[:4], content[4:8], content[8:12], content[12:24]
        parts |= {"mDCV": red + green + blue + rest} if len(rest) == 12 else {}
    return Facts(bits, parts)


def _properties(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of the properties of the main picture, in their order."""
    meta = dict(inside(data)).get(b"meta", b"")
    about = dict(inside(meta[4:]))
    store = dict(inside(about.get(b"iprp", b"")))
    known = list(inside(store.get(b"ipco", b"")))
    main = about.get(b"pitm", bytes(6))
    number = int.from_bytes(main[4:8] if main[0] else main[4:6], "big")
    for index in _associated(store.get(b"ipma", b""), number):
        if 0 < index <= len(known):
            yield known[index - 1]


def _associated(table: bytes, number: int) -> list[int]:
    """The numbers, from 1, of the properties of an item, in the box ipma."""
    if len(table) < 8:
        return []
    large, wide = table[0] > 0, bool(table[3] & 1)
    at, count = 8, int.from_bytes(table[4:8], "big")
    for _ in range(min(count, len(table))):
        item = int.from_bytes(table[at : at + (4 if large else 2)], "big")
        at += 4 if large else 2
        used, step = table[at], 2 if wide else 1
        entries = [table[at + 1 + step * i : at + 1 + step * (i + 1)] for i in range(used)]
        if item == number:
            mask = 0x7FFF if wide else 0x7F
            return [int.from_bytes(entry, "big") & mask for entry in entries]
        at += 1 + step * used
    return []


def inside(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of boxes that follow each other."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1:
            size, start = struct.unpack_from(">Q", data, start)[0], start + 8
        end = len(data) if size == 0 else at + size
        if end < start:
            return
        yield kind, data[start:end]
        at = end
