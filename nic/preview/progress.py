"""Pictures from what has arrived so far of a stream, such as a download.

A record begins with its header, the class map and the channel index, and the channels follow in
order. So the versions of a picture are: its thumbnail, as soon as the leading channels are there;
the picture from its first 16 and from its first 32 channels; and the whole. A picture in strips has
thumbnails, one after each strip, and the whole. When the stream ends too early, the last version is
made from all that has come.
"""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO, cast

from nic.decoder import Decoder
from nic.errors import CorruptError
from nic.format.channels import select, sizes
from nic.format.chunks import CRC_SIZE, DATA, Chunk, read_exactly, read_opening, read_payload
from nic.format.header import Header
from nic.format.index import BY_CLASS
from nic.format.records import MAGIC, Parts, Record, read_head, read_record
from nic.format.salvage import Report, read_intact
from nic.format.strips import check_order, end, is_last
from nic.picture.pixels import Picture
from nic.picture.rows import by_picture
from nic.preview.shrink import Shrink
from nic.preview.thumbnail import Part, blank_below, joined, part_of
from nic.settings import Decoding

COUNTS = (16, 32)  # channels of the versions between the thumbnail and the whole picture

Version = Iterator[tuple[Header, Picture]]  # the strips of a picture, as nic.picture.rows writes it


class Growing(io.RawIOBase):
    """A source whose bytes are kept, from the start of a picture on.

    Attributes:
        data: the bytes.
        ended: whether the source has ended.
    """

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        self.data, self.ended = bytearray(), False

    def read(self, size: int = -1) -> bytes:
        """The next ``size`` bytes, or all; fewer only if the source ends. Waits for them."""
        found = self._source.read(size)
        self.data += found
        self.ended |= len(found) < size or size < 0
        return found


def versions(
    decoder: Decoder, source: BinaryIO, options: Decoding, report: Report, every: bool = True
) -> Iterator[tuple[int, Version]]:
    """Yield the versions of every picture of a stream, each with the number of its picture.

    Args:
        options: how to decode; ``channels`` is not used. What is damaged ends the stream, unless it
            tolerates that.
        report: takes what is missing at the end.
        every: yield all versions; if not, only the last one of each picture.
    Raises: as ``nic.decoder.Decoder.decode_stream``.
    """
    number, growing = 0, Growing(source)
    while growing.read(len(MAGIC)) or not number:
        try:
            for version in _of_picture(decoder, growing, options, every):
                yield number, version
        except CorruptError:
            if not (growing.ended or options.tolerate):
                raise
            growing.read()
            intact = read_intact(io.BytesIO(growing.data), decoder, report)
            found = decoder.strips_of(intact, options)
            for rest, version in enumerate(by_picture(found)):
                yield number + rest, version
        number += 1
        growing.data.clear()


def _of_picture(
    decoder: Decoder, growing: Growing, options: Decoding, every: bool
) -> Iterator[Version]:
    """Yield the versions of the picture whose first 8 bytes have been read."""
    strips: list[Record] = []
    parts: list[Part] = []
    while not strips or not is_last(strips[-1].header):
        if strips and not growing.read(len(MAGIC)):
            where = end(strips[-1].header)
            raise CorruptError(f"truncated: the picture's strips end at row {where}")
        start = len(growing.data)
        for record in _steps(decoder, growing, every):
            check_order(record.header, strips[-1].header if strips else None)
            if len(parts) == len(strips):  # the first step of each record is for the thumbnail
                parts.append(part_of(decoder, record))
                yield _thumbnail(decoder, parts, options)
            else:
                yield iter(list(decoder.strips_of(iter([record]), options)))
        record = read_record(io.BytesIO(growing.data[start:]), MAGIC)
        check_order(record.header, strips[-1].header if strips else None)
        strips.append(record)
    yield decoder.strips_of(iter(strips), options)


def _thumbnail(decoder: Decoder, parts: list[Part], options: Decoding) -> Version:
    """The thumbnail of a picture from the parts that are there; the others are blank."""
    header = parts[-1][0]
    small = joined([*parts, *blank_below(decoder, header)], Shrink(), options)
    return iter([(replace(header, strip=None), small)])


def _steps(decoder: Decoder, growing: Growing, every: bool) -> Iterator[Record]:
    """Read a record, after its first 8 bytes, and yield what can be shown before its end.

    The records hold leading channels: first those of the thumbnail, then more.
    """
    source, magic = cast(BinaryIO, growing), bytes(growing.data[-len(MAGIC) :])
    parts = Parts(*read_head(source, magic))
    while (opening := read_opening(source)) is not None:
        if opening.kind != DATA or parts.has_data:
            parts.take(Chunk(opening.kind, read_payload(source, opening)))
            continue
        counts, each = [], sizes(parts.stage, parts.header)
        if every and sum(each) == opening.length and _can_be_decoded(parts):
            counts = _counts(decoder, parts.header, len(each))
        data = bytearray()
        for count in counts:
            data += read_exactly(source, sum(each[:count]) - len(data))
            record = replace(parts.record(), data=bytes(data))
            yield select(record, tuple(range(count)))
        data += read_exactly(source, opening.length - len(data))
        read_exactly(source, CRC_SIZE)
        parts.take(Chunk(DATA, bytes(data)))


def _counts(decoder: Decoder, header: Header, available: int) -> list[int]:
    """How many channels the versions before the last one have."""
    first = len(decoder.loader.model(header).thumbnail) - 1
    every = [first, *(count for count in COUNTS if count > first and header.strip is None)]
    return [count for count in every if count < available]


def _can_be_decoded(parts: Parts) -> bool:
    """Whether the class map has come, if it is needed; a foreign program may write it last."""
    needed = any(channel.mode in BY_CLASS for channel in parts.header.index)
    return not needed or bool(parts.record().class_map)
