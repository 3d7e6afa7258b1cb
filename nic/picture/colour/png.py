"""The chunks of a PNG that declare colour: read from a file, and put into a written one."""

import struct
import zlib
from itertools import takewhile

from nic.picture.colour.declared import SIZES, Parts, build, simplified
from nic.picture.png import chunks_of

AFTER_HEADER = 33  # bytes of signature and IHDR
NAMES = {b"mDCv": "mDCV", b"cLLi": "cLLI"}  # as drafts of the standard wrote them
UNTIL = (b"IDAT", b"PLTE", b"IEND")  # colour is declared before these


def declared(data: bytes, has_icc: bool) -> bytes:
    """Chunk c with what a PNG file declares, without chunks that are damaged or make no sense."""
    parts: dict[str, bytes] = {}
    for chunk in takewhile(lambda chunk: chunk.kind not in UNTIL, chunks_of(data)):
        name, content = NAMES.get(chunk.kind, chunk.name), chunk.content(data)
        if SIZES.get(name) == len(content) and chunk.is_sound(data) and _has_sense(name, content):
            parts.setdefault(name, content)
    return build(simplified(parts, has_icc))


def _has_sense(name: str, content: bytes) -> bool:
    if name == "cHRM":  # every y divides
        return all(struct.unpack(">8I", content)[1::2])
    return name != "gAMA" or any(content)


def with_colour(data: bytes, parts: Parts) -> bytes:
    """A PNG file with chunks for the parts, right after its header."""
    chunks = b"".join(_chunk(name.encode(), content) for name, content in parts.items())
    return data[:AFTER_HEADER] + chunks + data[AFTER_HEADER:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + _crc(kind + content)


def _crc(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")
