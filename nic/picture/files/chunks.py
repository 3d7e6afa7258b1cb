"""A PNG file made fit for Pillow, which refuses a whole picture for one bad ancillary chunk.

PNG's own rule (PNG, section 13.2) is to go on without an ancillary chunk that is damaged.
"""

import logging
import zlib

from nic.errors import CorruptError, UsageError
from nic.picture.metadata import MAX_SIZE, XMP_KEYWORD
from nic.picture.png import Chunk, chunks_of

log = logging.getLogger("nic")

PROFILE, TEXT = b"iCCP", (b"tEXt", b"zTXt", b"iTXt")
MOST = 1 << 20  # bytes that Pillow decompresses of a chunk (PngImagePlugin.MAX_TEXT_CHUNK)
ALL_TEXT = 1 << 25  # bytes of all chunks with text: half of what Pillow reads
CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")  # all that PNG defines
SIZES = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9, b"cICP": 4, b"mDCV": 24, b"cLLI": 8,
         b"acTL": 8}  # fmt: skip
COLOUR = 25  # offset of the colour type in a file whose first chunk is IHDR
KEYS = {0: 2, 2: 6}  # bytes of the chunk tRNS, by colour type; with a palette they vary
END = b"\0\0\0\0IEND\xae\x42\x60\x82"


def mended(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """A PNG file as Pillow can read it, and what it holds beyond Pillow's limits.

    Ancillary chunks that are damaged or too large are left out, and a missing end chunk is added;
    a note says so. The second value may have ``icc_profile`` and ``xmp`` of up to ``MAX_SIZE``
    bytes, as in Pillow's ``info``.

    Raises: CorruptError when a chunk with pixels fails its checksum or is missing, UsageError when
        there is a critical chunk that PNG does not define.
    """
    chunks = list(chunks_of(data))
    damaged = {chunk for chunk in chunks if not chunk.is_sound(data)}
    for chunk in chunks:
        if chunk.kind[:1].isupper() and chunk.kind not in CRITICAL and chunk not in damaged:
            raise UsageError(f"this is a PNG with the chunk {chunk.name}, which is not read; "
                             "save it as PNG without that chunk first")  # fmt: skip
    if not chunks or chunks[0].kind != b"IHDR" or chunks[0] in damaged:
        return data, {}  # Pillow says what is wrong
    facts: dict[str, bytes] = {}
    out, text = [], 0
    for chunk in chunks:
        if chunk in damaged and chunk.kind[:1].isupper():
            raise CorruptError(f"the picture is damaged: chunk {chunk.name} fails its checksum")
        size = _text_size(chunk, data)
        why = "is damaged" if chunk in damaged else _complaint(chunk, data, size, text)
        if why is None:
            text += size
            continue
        out.append(chunk)
        found = {} if chunk in damaged else _beyond(chunk, data)
        facts = found | facts
        if not found:
            log.warning("note: chunk %s %s and is left out", chunk.name, why)
    whole = _without(data, out) if out else data
    if chunks[-1].kind == b"IEND":
        return whole, facts
    if chunks[-1].stop < len(data) or not any(chunk.kind == b"IDAT" for chunk in chunks):
        raise CorruptError("the picture is damaged: it ends too early")
    log.warning("note: the end marker of the file is missing")
    return whole + END, facts


def _without(data: bytes, chunks: list[Chunk]) -> bytes:
    """The file without some chunks, which are in order."""
    parts, at = [], 0
    for chunk in chunks:
        parts.append(data[at : chunk.start])
        at = chunk.stop
    return b"".join((*parts, data[at:]))


def _complaint(chunk: Chunk, data: bytes, size: int, text: int) -> str | None:
    """Why Pillow cannot read a sound ancillary chunk, if so.

    Args:
        size: bytes of its text.
        text: bytes of all text before it.
    """
    wanted = KEYS.get(data[COLOUR]) if chunk.kind == b"tRNS" else SIZES.get(chunk.kind)
    if wanted not in (None, len(chunk.content(data))):
        return "is damaged"
    if chunk.kind == PROFILE:
        profile = _profile(chunk.content(data), MOST + 1)
        if not profile:
            return "is damaged"
        size = len(profile)
    if size > MOST:
        return f"has more than {MAX_SIZE if chunk.kind == PROFILE else MOST} bytes"
    return "is one of too many" if text + size > ALL_TEXT else None


def _beyond(chunk: Chunk, data: bytes) -> dict[str, bytes]:
    """The ICC profile or the XMP of a sound chunk, if it is not larger than ``MAX_SIZE``."""
    if chunk.kind == PROFILE:
        found = {"icc_profile": _profile(chunk.content(data), MAX_SIZE + 1)}
    else:
        name, coded, text = _international(chunk.content(data))
        if chunk.kind != b"iTXt" or name != XMP_KEYWORD.encode():
            return {}
        found = {"xmp": _inflated(text, MAX_SIZE + 1) if coded else text}
    return {name: value for name, value in found.items() if 0 < len(value) <= MAX_SIZE}


def _profile(content: bytes, most: int) -> bytes:
    """The first ``most`` bytes of the profile in a chunk iCCP; b"" if there is none."""
    _, _, coded = content.partition(b"\0")
    return _inflated(coded[1:], most) if coded[:1] == b"\0" else b""


def _text_size(chunk: Chunk, data: bytes) -> int:
    """Bytes of a chunk of text, decompressed, at most one above ``MOST``; 0 for other chunks."""
    if chunk.kind not in TEXT:
        return 0
    content = chunk.content(data)
    if len(content) > MOST:
        return MOST + 1
    if chunk.kind == b"tEXt":
        return len(content)
    if chunk.kind == b"zTXt":
        return len(_inflated(content.partition(b"\0")[2][1:], MOST + 1))
    _, coded, text = _international(content)
    return len(_inflated(text, MOST + 1) if coded else text)


def _international(content: bytes) -> tuple[bytes, bool, bytes]:
    """Keyword of a chunk iTXt, whether its text is compressed, and the text (section 11.3.3.4)."""
    name, _, rest = content.partition(b"\0")
    text = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    return name, rest[:1] == b"\1", text


def _inflated(data: bytes, most: int) -> bytes:
    """The first ``most`` bytes of zlib data; b"" if it is damaged."""
    try:
        return zlib.decompressobj().decompress(data, most)
    except zlib.error:
        return b""
