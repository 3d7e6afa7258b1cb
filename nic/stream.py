r"""The stream: one self-describing record per picture, the same at every stage.

::

    record    8   89 4E 49 43 0D 0A 1A 0A     a high bit, "NIC", CR LF, ^Z, LF: no transfer
                                              that changes text survives unnoticed
              1   stage << 4 | version        1 latents, 2 symbols, 3 coded, 4 packed
              -   chunk H                     the header: JSON, or compact when packed
              -   chunks                      M at most once, D exactly once;
                                              ancillary ones anywhere
              1   "E"                         the end

    chunk     1   type                        A-Z critical, a-z ancillary
            1-9   length, varint
              -   payload
              4   CRC-32, little-endian       of type, length and payload

    D holds   latents   float32 (h, w, C), little-endian
              symbols   int8 (channels, h, w)
              coded     the channels' payloads one after the other, sizes in the index
              packed    the same
    M holds   coded     u8 set of the model's prior tables | 80, then the class map
              packed    the same

Records follow each other without a gap. A reader never seeks, never allocates more than it
has read, and refuses a record whose end does not come. An unknown ancillary chunk is passed
on; an unknown critical one is refused.
"""

import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO, NamedTuple

from nic import header as headers
from nic.errors import CorruptError, VersionError
from nic.header import Header

MAGIC = b"\x89NIC\r\n\x1a\n"
VERSION = 1
HEADER, MAP, DATA, END = b"H", b"M", b"D", b"E"
MAX_HEADER = 1 << 20  # bytes; a header is some hundred
MAX_CHUNK = 1 << 40  # bytes; latents of the largest picture that a header allows
PIECE = 1 << 24  # bytes per read: how much a false length can make a reader allocate
CRC_SIZE = 4  # bytes
TRUNCATED = "truncated: the input ends inside a record"

PICTURES = (  # how other files start, to say what came instead
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "a WebP picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"BM", "a BMP picture"),
    (b"P5", "a PGM picture"),
    (b"P6", "a PPM picture"),
)


class Stage(IntEnum):
    """What a record holds, in the order of encoding."""

    LATENTS = 1
    SYMBOLS = 2
    CODED = 3
    PACKED = 4


class Chunk(NamedTuple):
    """A chunk of one-letter ``kind``; the CRC is checked on reading, made on writing."""

    kind: bytes
    payload: bytes


class Opening(NamedTuple):
    """What stands before a chunk's payload; ``crc`` is that of type and length."""

    kind: bytes
    length: int
    crc: int


@dataclass(frozen=True)
class Record:
    """One picture at one stage; ``data`` is the payload of chunk D, ``class_map`` that of M.

    ``extra`` are the ancillary chunks.
    """

    stage: Stage
    header: Header
    data: bytes | memoryview
    extra: tuple[Chunk, ...] = ()
    class_map: bytes = b""


def write_record(out: BinaryIO, record: Record) -> None:
    """Write one record to a binary stream."""
    packed = record.stage == Stage.PACKED
    head = headers.to_packed(record.header) if packed else headers.to_json(record.header)
    out.write(MAGIC + bytes([record.stage << 4 | VERSION]))
    class_map = [(MAP, record.class_map)] if record.class_map else []
    for kind, payload in ((HEADER, head), *record.extra, *class_map, (DATA, record.data)):
        start = kind + headers.varint(len(payload))
        out.write(start)
        out.write(payload)
        out.write(zlib.crc32(payload, zlib.crc32(start)).to_bytes(4, "little"))
    out.write(END)


def size(record: Record) -> int:
    """Bytes that the record takes when written."""
    out = io.BytesIO()
    write_record(out, record)
    return out.tell()


def read_payload(source: BinaryIO, opening: Opening) -> bytes:
    """The payload that follows an opening. Raises CorruptError when its checksum fails."""
    payload = read_exactly(source, opening.length)
    found = int.from_bytes(read_exactly(source, CRC_SIZE), "little")
    if found != zlib.crc32(payload, opening.crc):
        raise CorruptError(f"damaged: chunk {opening.kind.decode()} fails its checksum")
    return payload


# Reads or skips chunk D to its end; the header that it gives is that of what it has read.
ReadData = Callable[[BinaryIO, Stage, Header, Opening], tuple[Header, bytes]]


def _read_all(source: BinaryIO, _: Stage, header: Header, data: Opening) -> tuple[Header, bytes]:
    return header, read_payload(source, data)


def read_records(
    source: BinaryIO, start: bytes = b"", read_data: ReadData = _read_all
) -> Iterator[Record]:
    """Yield every record of a binary stream that need not be seekable.

    Args:
        start: the first 8 bytes, when they have been read already.
        read_data: reads chunk D; by default all of it.
    Raises: CorruptError when the stream is empty, is not of this format, is damaged or ends
        inside a record, and VersionError for what a newer version may have written.
    """
    start = start or source.read(len(MAGIC))
    if not start:
        raise CorruptError("the input is empty")
    while start:
        yield _read_record(source, start, read_data)
        start = source.read(len(MAGIC))


def _read_record(source: BinaryIO, magic: bytes, read_data: ReadData) -> Record:
    if magic != MAGIC:
        raise CorruptError(_what_instead(magic))
    stage, version = divmod(read_exactly(source, 1)[0], 16)
    if version != VERSION or stage not in set(Stage):
        raise VersionError(f"stream version {version}, stage {stage}: a newer nic wrote this")
    head = _read_opening(source)
    payload = read_payload(source, head) if head is not None else b""
    if head is None or head.kind != HEADER:
        raise CorruptError("the record does not start with its header")
    parse = headers.from_packed if stage == Stage.PACKED else headers.from_json
    header = parse(payload)
    critical: dict[bytes, bytes] = {}
    extra = []
    while (chunk := _read_opening(source)) is not None:
        if chunk.kind == DATA and DATA not in critical:
            header, critical[DATA] = read_data(source, Stage(stage), header, chunk)
            continue
        payload = read_payload(source, chunk)
        if chunk.kind.islower():
            extra.append(Chunk(chunk.kind, payload))
        elif chunk.kind == MAP and MAP not in critical:
            critical[MAP] = payload
        else:
            raise VersionError(f"unexpected critical chunk {chunk.kind.decode('latin-1')!r}")
    if DATA not in critical:
        raise CorruptError("the record ends without data")
    class_map = critical.get(MAP, b"")
    return _checked(Record(Stage(stage), header, critical[DATA], tuple(extra), class_map))


def _checked(record: Record) -> Record:
    """Return the record if header and data agree in size. Raises CorruptError."""
    h, w, latent_channels = record.header.latent_shape
    expected = {
        Stage.LATENTS: h * w * latent_channels * 4,
        Stage.SYMBOLS: h * w * record.header.channels,
    }.get(record.stage, sum(channel.size for channel in record.header.index))
    coded = record.stage >= Stage.CODED
    if not record.class_map and any(c.mode in headers.BY_CLASS for c in record.header.index):
        raise CorruptError("the class map is missing")
    if len(record.data) != expected or coded != bool(record.header.index):
        raise CorruptError(f"{len(record.data)} bytes of data where the header says {expected}")
    return record


def _read_opening(source: BinaryIO) -> Opening | None:
    """Type and length of the next chunk; None at the end of the record."""
    kind = read_exactly(source, 1)
    if kind == END:
        return None
    if not kind.isalpha():
        raise CorruptError("damaged: a chunk type is not a letter")
    length_bytes = bytearray()

    def each_byte() -> Iterator[int]:
        while True:
            length_bytes.extend(read_exactly(source, 1))
            yield length_bytes[-1]

    length = headers.read_varint(each_byte())
    if length > (MAX_HEADER if kind == HEADER else MAX_CHUNK):
        raise CorruptError(f"damaged: a chunk claims {length} bytes")
    return Opening(kind, length, zlib.crc32(kind + bytes(length_bytes)))


def read_exactly(source: BinaryIO, size: int) -> bytes:
    """Read ``size`` bytes. Raises CorruptError at the end of the stream."""
    pieces = []
    while size:
        piece = source.read(min(size, PIECE))
        if not piece:
            raise CorruptError(TRUNCATED)
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _what_instead(start: bytes) -> str:
    for signature, kind in PICTURES:
        if start.startswith(signature):
            return f"this is {kind}, not a nic stream; encode it with nic-encode"
    if MAGIC.startswith(start):
        return TRUNCATED
    return "this is not a nic stream"
