"""The chunks of a record: the table of all kinds, and reading and writing of one chunk.

::

    chunk     1   type                        A-Z critical, a-z ancillary
            1-9   length, varint
              -   payload
              4   CRC-32, little-endian       of type, length and payload

A reader refuses an unknown critical chunk; it keeps an unknown ancillary chunk. To add a kind of
chunk, add a row to ``TABLE`` and a field to ``nic.format.records.Record``, and write the code that
gives it meaning.
"""

import zlib
from collections.abc import Iterator
from enum import IntEnum
from typing import BinaryIO, NamedTuple

from nic.errors import ChecksumError, CorruptError
from nic.format.bits import read_varint, varint

MAX_HEADER = 1 << 20  # bytes; a header has a few hundred
MAX_CHUNK = 1 << 40  # bytes; more than the latents of the largest picture that a header allows
PIECE = 1 << 24  # bytes per read; a false length can make a reader allocate no more than this
CRC_SIZE = 4  # bytes
END = b"E"  # the end of a record, in place of a chunk
TRUNCATED = "truncated: the input ends inside a record"


class Stage(IntEnum):
    """The content of a record, in the order of encoding."""

    LATENTS = 1
    SYMBOLS = 2
    CODED = 3
    PACKED = 4


EVERY = frozenset(Stage)


class Kind(NamedTuple):
    """The rules for chunks of one letter. A letter is never given another meaning."""

    letter: bytes
    name: str
    field: str  # field of a Record that holds the payload
    stages: frozenset[Stage] = EVERY  # the stages at which it may occur
    needed: bool = False  # True: exactly once. False: at most once, and not empty
    side: bool = False  # True: channels decode without it

    @property
    def critical(self) -> bool:
        """Whether a reader that does not know this kind has to refuse the record."""
        return self.letter.isupper()


HEADER, CLASS_MAP, DATA = b"H", b"M", b"D"
TABLE = (  # in the order of writing
    Kind(HEADER, "header", "header", needed=True),  # JSON, compact when packed: nic.format.header
    Kind(b"i", "icc", "extra", side=True),  # these three compressed with zlib: nic.picture.metadata
    Kind(b"x", "exif", "extra", side=True),
    Kind(b"m", "xmp", "extra", side=True),
    Kind(b"r", "resolution", "extra", side=True),  # u32[2]: nic.picture.metadata.resolution
    Kind(b"c", "colour", "extra", side=True),  # cICP and others: nic.picture.colour.declared
    # u8 method; 0: a PNG, 1: a packed record of a grey picture. See nic.picture.alpha.
    Kind(b"A", "alpha plane", "alpha", side=True),
    # u8 set of the model's tables | 80, then the classes. See nic.entropy.classmap.
    Kind(CLASS_MAP, "class map", "class_map", EVERY - {Stage.LATENTS, Stage.SYMBOLS}),
    # By how much values exceed the codebook. See nic.quantize.excess.
    Kind(b"X", "excess", "excess", EVERY - {Stage.LATENTS}, side=True),
    # Latents: float32 (C, h, w), little-endian. Symbols: int8 (channels, h, w). Coded and packed:
    # the payloads of the channels in order; the channel index has their sizes.
    Kind(DATA, "data", "data", needed=True),
)
KINDS = {kind.letter: kind for kind in TABLE}
OPTIONAL = tuple(kind for kind in TABLE if kind.critical and not kind.needed)
ANCILLARY = tuple(kind for kind in TABLE if not kind.critical)


class Chunk(NamedTuple):
    """A chunk; ``kind`` is its letter. Reading checks the CRC, and writing computes it."""

    kind: bytes
    payload: bytes


class Opening(NamedTuple):
    """The start of a chunk, before its payload; ``crc`` is the CRC-32 of type and length."""

    kind: bytes
    length: int
    crc: int


def write_chunk(out: BinaryIO, kind: bytes, payload: bytes | memoryview) -> None:
    """Write one chunk to a binary stream."""
    start = kind + varint(len(payload))
    out.write(start)
    out.write(payload)
    out.write(zlib.crc32(payload, zlib.crc32(start)).to_bytes(CRC_SIZE, "little"))


def read_opening(source: BinaryIO) -> Opening | None:
    """Type and length of the next chunk; None at the end of the record. Raises CorruptError."""
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

    length = read_varint(each_byte())
    if length > (MAX_HEADER if kind == HEADER else MAX_CHUNK):
        raise CorruptError(f"damaged: a chunk claims {length} bytes")
    return Opening(kind, length, zlib.crc32(kind + bytes(length_bytes)))


def read_payload(source: BinaryIO, opening: Opening) -> bytes:
    """The payload that follows an opening. Raises CorruptError, of which ChecksumError is one."""
    payload, sound = read_unchecked(source, opening)
    if not sound:
        raise ChecksumError.of(opening.kind)
    return payload


def read_unchecked(source: BinaryIO, opening: Opening) -> tuple[bytes, bool]:
    """The payload that follows an opening, and whether its checksum holds."""
    payload = read_exactly(source, opening.length)
    found = int.from_bytes(read_exactly(source, CRC_SIZE), "little")
    return payload, found == zlib.crc32(payload, opening.crc)


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
