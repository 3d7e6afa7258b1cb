r"""The stream: self-describing records, one for each picture or strip, alike at every stage.

::

    record    8   89 4E 49 43 0D 0A 1A 0A     a high bit, "NIC", CR LF, ^Z, LF: a transfer
                                              as text changes some of these bytes
              1   stage << 4 | version        1 latents, 2 symbols, 3 coded, 4 packed
              -   chunk H                     the header: JSON, or compact when packed
              -   chunks                      D exactly once, other critical ones at most
                                              once; ancillary ones anywhere
              1   "E"                         the end

``nic.format.chunks`` draws a chunk, and has the table of all kinds.

Records follow each other without a gap. A reader need not seek. It allocates no more than a fixed
amount beyond what it has read, and it refuses a record without its end. It keeps an unknown
ancillary chunk and refuses an unknown critical chunk.
"""

import io
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from os import SEEK_CUR
from typing import Any, BinaryIO

from nic.errors import CorruptError, VersionError
from nic.format import header as headers
from nic.format.chunks import (
    CRC_SIZE,
    DATA,
    END,
    HEADER,
    KINDS,
    OPTIONAL,
    TRUNCATED,
    Chunk,
    Opening,
    Stage,
    read_exactly,
    read_opening,
    read_payload,
    write_chunk,
)
from nic.format.header import Header
from nic.format.index import BY_CLASS

__all__ = ["MAGIC", "Chunk", "Reading", "Record", "Stage", "read_record", "read_records", "size",
           "write_record"]  # fmt: skip

MAGIC = b"\x89NIC\r\n\x1a\n"
VERSION = 1

PICTURES = (  # how picture files start, for the message when one comes in place of a record
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


@dataclass(frozen=True)
class Record:
    """One picture, or one strip of it, at one stage.

    Attributes:
        data: payload of chunk D: the latents, the symbols, or the coded channels.
        extra: the ancillary chunks.
        class_map: payload of chunk M, b"" if there is none (``nic.entropy.classmap``).
        alpha: payload of chunk A, likewise (``nic.picture.alpha``).
        excess: payload of chunk X, likewise (``nic.quantize.excess``).
    """

    stage: Stage
    header: Header
    data: bytes | memoryview = b""
    extra: tuple[Chunk, ...] = ()
    class_map: bytes = b""
    alpha: bytes = b""
    excess: bytes = b""


def write_record(out: BinaryIO, record: Record) -> None:
    """Write one record to a binary stream."""
    packed = record.stage == Stage.PACKED
    head = headers.to_packed(record.header) if packed else headers.to_json(record.header)
    out.write(MAGIC + bytes([record.stage << 4 | VERSION]))
    write_chunk(out, HEADER, head)
    for kind, payload in record.extra:
        write_chunk(out, kind, payload)
    for row in OPTIONAL:
        if payload := getattr(record, row.field):
            write_chunk(out, row.letter, payload)
    write_chunk(out, DATA, record.data)
    out.write(END)


def size(record: Record) -> int:
    """How many bytes the written record has."""
    out = io.BytesIO()
    write_record(out, record)
    return out.tell()


# Reads chunk D, or parts of it, and leaves the source at its end. Returns the payload that it
# kept, and the header changed to fit it.
ReadData = Callable[[BinaryIO, Stage, Header, Opening], tuple[Header, bytes]]


def _read_all(source: BinaryIO, _: Stage, header: Header, data: Opening) -> tuple[Header, bytes]:
    return header, read_payload(source, data)


def _nothing(source: BinaryIO, stage: Stage, header: Header, opening: Opening) -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Reading:
    """How records are read.

    Attributes:
        data: reads chunk D; by default all of it.
        skipped: letters of chunks that are not wanted. Those are not read if the source can seek.
        prepare: called before the payload of every chunk but D is read.
    """

    data: ReadData = _read_all
    skipped: Collection[bytes] = ()
    prepare: Callable[[BinaryIO, Stage, Header, Opening], None] = _nothing


WHOLE = Reading()


def read_records(source: BinaryIO, start: bytes = b"", how: Reading = WHOLE) -> Iterator[Record]:
    """Yield every record of a binary stream, which need not be seekable.

    Args:
        start: the first 8 bytes, if they have already been read.
        how: what is read; by default all.
    Raises: CorruptError when the stream is empty, of another format, damaged, or ends inside a
        record; VersionError for features that a newer version may have written.
    """
    start = start or source.read(len(MAGIC))
    if not start:
        raise CorruptError("the input is empty")
    while start:
        yield read_record(source, start, how)
        start = source.read(len(MAGIC))


def read_record(source: BinaryIO, magic: bytes, how: Reading = WHOLE) -> Record:
    """The record whose first 8 bytes, ``magic``, have already been read; see ``read_records``."""
    parts = Parts(*read_head(source, magic))
    while (opening := read_opening(source)) is not None:
        if opening.kind == DATA and not parts.has_data:
            parts.header, data = how.data(source, parts.stage, parts.header, opening)
            parts.take(Chunk(DATA, data))
        elif opening.kind in how.skipped and source.seekable():
            source.seek(opening.length + CRC_SIZE, SEEK_CUR)
        else:
            how.prepare(source, parts.stage, parts.header, opening)
            parts.take(Chunk(opening.kind, read_payload(source, opening)))
    if not parts.has_data:
        raise CorruptError("the record ends without data")
    return _checked(parts.record())


@dataclass
class Parts:
    """The chunks of a record that have been read so far."""

    stage: Stage
    header: Header
    payloads: dict[bytes, bytes] = field(default_factory=dict)  # of critical chunks, by letter
    extra: list[Chunk] = field(default_factory=list)

    @property
    def has_data(self) -> bool:
        """Whether chunk D has been read."""
        return DATA in self.payloads

    def take(self, chunk: Chunk) -> None:
        """Add a chunk. Raises VersionError for an unexpected one, CorruptError for an empty one.

        Ancillary chunks are never refused.
        """
        letter, payload = chunk
        if letter.islower():
            self.extra.append(chunk)
            return
        kind = KINDS.get(letter)
        known = kind is not None and letter != HEADER and letter not in self.payloads
        if kind is None or not known or self.stage not in kind.stages:
            raise VersionError(f"unexpected critical chunk {letter.decode('latin-1')!r}")
        if not payload and not kind.needed:
            raise CorruptError(f"damaged: chunk {letter.decode()}, the {kind.name}, is empty")
        self.payloads[letter] = payload

    def record(self) -> Record:
        """The record of these chunks; its sizes are not checked."""
        fields: dict[str, Any] = {KINDS[kind].field: part for kind, part in self.payloads.items()}
        return Record(self.stage, self.header, extra=tuple(self.extra), **fields)


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
    """The bytes that chunk D must have according to the header."""
    h, w, latent_channels = header.latent_shape
    if stage == Stage.LATENTS:
        return h * w * latent_channels * 4
    if stage == Stage.SYMBOLS:
        return h * w * header.channels
    return sum(channel.size for channel in header.index)


def _checked(record: Record) -> Record:
    """Return the record if header, index, class map and data fit together.

    Raises: CorruptError.
    """
    expected = data_size(record.stage, record.header)
    coded = record.stage >= Stage.CODED
    if not record.class_map and any(c.mode in BY_CLASS for c in record.header.index):
        raise CorruptError("the class map is missing")
    if len(record.data) != expected or coded != bool(record.header.index):
        raise CorruptError(f"{len(record.data)} bytes of data where the header says {expected}")
    return record


def what_instead(start: bytes) -> str:
    """Say what an input is that starts with ``start`` in place of a record."""
    if not start:
        return "the input is empty"
    for signature, kind in PICTURES:
        if start.startswith(signature):
            return f"this is {kind}, not a nic stream; encode it with nic-encode"
    if MAGIC.startswith(start):
        return TRUNCATED
    return "this is not a nic stream"
