r"""The stream: one self-describing record per picture, the same at every stage.

::

    record    8   89 4E 49 43 0D 0A 1A 0A     a high bit, "NIC", CR LF, ^Z, LF: no transfer
                                              that changes text survives unnoticed
              1   stage << 4 | version        1 latents, 2 symbols, 3 coded, 4 packed
              -   chunk H                     the header: JSON, or compact when packed
              -   chunks                      A, M and X at most once, D exactly once;
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
    X holds   what symbols lack to their values: see nic.quantize.excess; not in latents
    A holds   u8 method; 0: the alpha plane as a PNG, 1: as a packed record of a grey picture
    i x m     ancillary: ICC profile, EXIF, XMP, compressed with zlib

Records follow each other without a gap. A reader never seeks, never allocates more than it
has read, and refuses a record whose end does not come. An unknown ancillary chunk is passed
on; an unknown critical one is refused.
"""

import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import BinaryIO, NamedTuple

from nic.errors import CorruptError, VersionError
from nic.format import header as headers
from nic.format.header import Header
from nic.format.index import BY_CLASS

MAGIC = b"\x89NIC\r\n\x1a\n"
VERSION = 1
HEADER, ALPHA, MAP, EXCESS, DATA, END = b"H", b"A", b"M", b"X", b"D", b"E"
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

    ``extra`` are the ancillary chunks; ``alpha`` is the payload of chunk A (``nic.picture.alpha``),
    and ``excess`` that of X (``nic.quantize.excess``).
    """

    stage: Stage
    header: Header
    data: bytes | memoryview
    extra: tuple[Chunk, ...] = ()
    class_map: bytes = b""
    alpha: bytes = b""
    excess: bytes = b""


def write_record(out: BinaryIO, record: Record) -> None:
    """Write one record to a binary stream."""
    packed = record.stage == Stage.PACKED
    head = headers.to_packed(record.header) if packed else headers.to_json(record.header)
    out.write(MAGIC + bytes([record.stage << 4 | VERSION]))
    optional = [(ALPHA, record.alpha), (MAP, record.class_map), (EXCESS, record.excess)]
    chunks = [chunk for chunk in optional if chunk[1]]
    for kind, payload in ((HEADER, head), *record.extra, *chunks, (DATA, record.data)):
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
    payload, sound = read_unchecked(source, opening)
    if not sound:
        raise CorruptError(f"damaged: chunk {opening.kind.decode()} fails its checksum")
    return payload


def read_unchecked(source: BinaryIO, opening: Opening) -> tuple[bytes, bool]:
    """The payload that follows an opening, and whether its checksum holds."""
    payload = read_exactly(source, opening.length)
    found = int.from_bytes(read_exactly(source, CRC_SIZE), "little")
    return payload, found == zlib.crc32(payload, opening.crc)


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
        yield read_record(source, start, read_data)
        start = source.read(len(MAGIC))


def read_record(source: BinaryIO, magic: bytes, read_data: ReadData = _read_all) -> Record:
    """The record that starts with ``magic``, which was read already; see ``read_records``."""
    parts = Parts(*read_head(source, magic))
    while (opening := read_opening(source)) is not None:
        if opening.kind == DATA and parts.data is None:
            parts.header, data = read_data(source, parts.stage, parts.header, opening)
            parts.take(Chunk(DATA, data))
        else:
            parts.take(Chunk(opening.kind, read_payload(source, opening)))
    if parts.data is None:
        raise CorruptError("the record ends without data")
    return _checked(parts.record())


@dataclass
class Parts:
    """A record of which chunks have been read so far."""

    stage: Stage
    header: Header
    data: bytes | None = None
    class_map: bytes | None = None
    alpha: bytes | None = None
    excess: bytes | None = None
    extra: list[Chunk] = field(default_factory=list)

    def take(self, chunk: Chunk) -> None:
        """Add a chunk. Raises VersionError for a critical one that is unknown or comes again."""
        if chunk.kind.islower():
            self.extra.append(chunk)
        elif chunk.kind == DATA and self.data is None:
            self.data = chunk.payload
        elif chunk.kind == MAP and self.class_map is None:
            if not chunk.payload:
                raise CorruptError("the class map is damaged: it is empty")
            self.class_map = chunk.payload
        elif chunk.kind == ALPHA and self.alpha is None:
            if not chunk.payload:
                raise CorruptError("the alpha plane is damaged: it is empty")
            self.alpha = chunk.payload
        elif chunk.kind == EXCESS and self.excess is None and self.stage > Stage.LATENTS:
            if not chunk.payload:
                raise CorruptError("chunk X is damaged: it is empty")
            self.excess = chunk.payload
        else:
            raise VersionError(f"unexpected critical chunk {chunk.kind.decode('latin-1')!r}")

    def record(self) -> Record:
        """What has been read, not checked."""
        data, class_map, alpha = self.data or b"", self.class_map or b"", self.alpha or b""
        extra, excess = tuple(self.extra), self.excess or b""
        return Record(self.stage, self.header, data, extra, class_map, alpha, excess)


def read_head(source: BinaryIO, magic: bytes) -> tuple[Stage, Header]:
    """Stage and header of the record that starts with ``magic``. Raises as ``read_records``."""
    if magic != MAGIC:
        raise CorruptError(what_instead(magic))
    stage, version = divmod(read_exactly(source, 1)[0], 16)
    if version != VERSION or stage not in set(Stage):
        raise VersionError(f"stream version {version}, stage {stage}: a newer nic wrote this")
    head = read_opening(source)
    payload = read_payload(source, head) if head is not None else b""
    if head is None or head.kind != HEADER:
        raise CorruptError("the record does not start with its header")
    parse = headers.from_packed if stage == Stage.PACKED else headers.from_json
    return Stage(stage), parse(payload)


def data_size(stage: Stage, header: Header) -> int:
    """Bytes of chunk D that the header speaks of."""
    h, w, latent_channels = header.latent_shape
    if stage == Stage.LATENTS:
        return h * w * latent_channels * 4
    if stage == Stage.SYMBOLS:
        return h * w * header.channels
    return sum(channel.size for channel in header.index)


def _checked(record: Record) -> Record:
    """Return the record if header and data agree in size. Raises CorruptError."""
    expected = data_size(record.stage, record.header)
    coded = record.stage >= Stage.CODED
    if not record.class_map and any(c.mode in BY_CLASS for c in record.header.index):
        raise CorruptError("the class map is missing")
    if len(record.data) != expected or coded != bool(record.header.index):
        raise CorruptError(f"{len(record.data)} bytes of data where the header says {expected}")
    return record


def read_opening(source: BinaryIO) -> Opening | None:
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


def what_instead(start: bytes) -> str:
    """Say what starts like that, where a record was expected."""
    if not start:
        return "the input is empty"
    for signature, kind in PICTURES:
        if start.startswith(signature):
            return f"this is {kind}, not a nic stream; encode it with nic-encode"
    if MAGIC.startswith(start):
        return TRUNCATED
    return "this is not a nic stream"
