"""Reading damaged streams: the intact part of every record, and a report of the damage.

``read_intact`` reads the whole input at once, so that it can find the next record after a damaged
one. A record ends at the latest where the next magic number is.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, Protocol

import numpy as np

from nic.errors import ChecksumError, CorruptError, NicError, PartialError, VersionError
from nic.format import strips
from nic.format.chunks import DATA, TABLE, Opening, Stage, read_unchecked
from nic.format.damage import Damage
from nic.format.damaged import DamagedRecord
from nic.format.header import Header
from nic.format.records import (
    MAGIC,
    Reading,
    Record,
    data_size,
    read_record,
    read_records,
    what_instead,
)
from nic.limits import MAX_LATENT, Limit, Work

BLANK_PIXELS = 1 << 20  # pixels of a blank strip in place of lost ones


class Codec(Protocol):
    """The part of ``nic.codec.Codec`` that this module needs."""

    limit: Limit

    def intact_symbols(self, record: Record) -> tuple[Record, Damage]:
        """A coded or packed record as symbols, and its damage; damaged channels are zero."""

    def check_side_data(self, record: Record) -> Record:
        """Return the record. Raises CorruptError if alpha, excess or metadata is damaged."""


@dataclass
class Report:
    """The damage in the inputs of a run, and whether a whole record was lost."""

    lines: list[str] = field(default_factory=list)
    lost: bool = False
    prefix: str = ""  # put before each line that is added

    def add(self, text: str, lost: bool = False) -> None:
        """Add a line about damage; ``lost`` when a whole record is lost."""
        self.lines.append(self.prefix + text)
        self.lost |= lost

    def check(self) -> None:
        """Raises CorruptError when a record was lost, PartialError for any other damage."""
        if self.lost:
            raise CorruptError("; ".join(self.lines))
        if self.lines:
            raise PartialError("; ".join(self.lines))


def read_intact(source: BinaryIO, codec: Codec, report: Report) -> Iterator[Record]:
    """Yield the intact part of every record: as latents if it holds latents, else as symbols.

    Lost channels are zero. Blank strips of zeros stand for lost strips, if another strip of the
    same picture is there.

    Raises: when no record can be decoded, the CorruptError or VersionError of the first;
        ModelError and UsageError as the codec does.
    """
    yield from _without_gaps(_records(source.read(), codec, report), report, codec.limit)


def _records(data: bytes, codec: Codec, report: Report) -> Iterator[Record]:
    start = data.find(MAGIC)
    if start > 0:
        report.add(f"{start} bytes before the first record")
    failure: NicError | None = None
    done = number = 0
    while start >= 0:
        after = data.find(MAGIC, start + 1)
        number += 1
        name = f"record {number}: " if number > 1 or after >= 0 else ""
        try:
            record, damage = _record(data[start : after if after >= 0 else None], codec)
        except (CorruptError, VersionError) as error:
            failure = failure or error
            report.add(f"{name}{error}", lost=True)
        else:
            if damage:
                report.add(f"{name}{damage}")
            done += 1
            yield record
        start = after
    if not done:
        raise failure or CorruptError(what_instead(data[: len(MAGIC)]))


def checked_records(source: BinaryIO, codec: Codec) -> Iterator[Record]:
    """Yield every record of an intact stream, checked to the last channel, as symbols or latents.

    Raises: as ``nic.format.records.read_records``. When a channel does not decode or chunk D
        fails its checksum, the CorruptError names the damaged channels.
    """
    failed = False

    def read_data(
        source: BinaryIO, _: Stage, header: Header, opening: Opening
    ) -> tuple[Header, bytes]:
        nonlocal failed
        payload, sound = read_unchecked(source, opening)
        failed = not sound
        return header, payload

    try:
        for record in read_records(source, how=Reading(read_data)):
            decoded, damage = _decode(record, codec)
            damage.data_failed = failed
            if damage:
                raise damage.error()
            yield codec.check_side_data(decoded)
    except NicError as error:
        if failed and not (isinstance(error, ChecksumError) and error.kind == DATA):
            raise ChecksumError.of(DATA) from error
        raise


def _without_gaps(records: Iterator[Record], report: Report, limit: Limit) -> Iterator[Record]:
    """Yield the records, and blank strips in place of missing ones."""
    last: Record | None = None
    for record in records:
        if last is not None and not _continues(record.header, last.header):
            yield from _blank(last, strips.end(last.header), None, report, limit)
            last = None
        top = record.header.strip[0] if record.header.strip else 0
        yield from _blank(record, strips.end(last.header) if last else 0, top, report, limit)
        yield record
        last = None if strips.is_last(record.header) else record
    if last is not None:
        yield from _blank(last, strips.end(last.header), None, report, limit)


def _continues(header: Header, last: Header) -> bool:
    """Whether a strip can belong to the same picture as the ``last`` one, and below it."""
    if header.strip is None or last.strip is None or header.strip[0] < strips.end(last):
        return False
    fields = ("width", "colour", "bit_depth", "model", "latent_channels")
    same = all(getattr(header, name) == getattr(last, name) for name in fields)
    return same and header.strip[1] == last.strip[1]


def _blank(
    like: Record, first: int, end: int | None, report: Report, limit: Limit
) -> Iterator[Record]:
    """Yield strips of zeros for rows ``first`` to ``end`` (exclusive; None: to the last row)."""
    header = like.header
    whole = header.strip[1] if header.strip else header.height
    end = whole if end is None else end
    if first < end:
        limit.check(header.width, whole, Work.picture(header.bit_depth))
        report.add(f"rows {first}-{end - 1} are lost")
    step = strips.strip_rows(header.width, whole, BLANK_PIXELS)
    for top in range(first, end, step):
        rows = min(top + step, end) - top
        blank = replace(header, height=rows, strip=(top, whole), index=())
        yield Record(like.stage, blank, bytes(data_size(like.stage, blank)))


def _record(data: bytes, codec: Codec) -> tuple[Record, Damage]:
    """The intact part of one record, decoded, and the damage."""
    damage = Damage()
    source = io.BytesIO(data)
    try:
        record = read_record(source, source.read(len(MAGIC)))
        if left := len(data) - source.tell():
            damage.notes.append(f"{left} bytes after the record")
    except (CorruptError, VersionError) as error:
        record = DamagedRecord(data, damage).read(error)
    decoded, lost = _decode(record, codec)
    damage.channels |= lost.channels
    damage.notes += lost.notes
    intact = [c for c, size in enumerate(_sizes(record)) if size and c not in damage.channels]
    if damage.channels and not intact:
        raise CorruptError(f"{damage}; no channel is intact")
    return _sound_sides(decoded, codec, damage), damage


def _sound_sides(record: Record, codec: Codec, damage: Damage) -> Record:
    """The record without side data that does not decode although its checksum holds."""
    names = dict.fromkeys(kind.field for kind in TABLE if kind.side)
    nothing: dict[str, Any] = {name: type(getattr(record, name))() for name in names}
    for name, empty in nothing.items():
        try:
            codec.check_side_data(replace(record, **(nothing | {name: getattr(record, name)})))
        except CorruptError as error:
            damage.notes.append(f"{error}, and left out")
            record = replace(record, **{name: empty})
    return record


def _decode(record: Record, codec: Codec) -> tuple[Record, Damage]:
    """The record as symbols or latents, and the damage found in them."""
    return codec.intact_symbols(record) if record.stage >= Stage.CODED else _full_size(record)


def _sizes(record: Record) -> list[int]:
    """Bytes of every channel; latents count as one channel."""
    if record.stage >= Stage.CODED:
        return [channel.size for channel in record.header.index]
    due = data_size(record.stage, record.header)
    count = record.header.channels if record.stage == Stage.SYMBOLS else 1
    return [due // count] * count


def _full_size(record: Record) -> tuple[Record, Damage]:
    """Latents or symbols filled to full size; missing and impossible values become zero."""
    damage = Damage()
    due, there = data_size(record.stage, record.header), len(record.data)
    data = bytearray(bytes(record.data[:due]).ljust(due, b"\0"))
    if record.stage == Stage.LATENTS:
        values = np.frombuffer(data, "<f4")
        wild = ~(np.abs(values) < MAX_LATENT)
        values[wild] = 0
        if wild.any():
            damage.notes.append(f"{wild.sum()} latents are not finite")
        if there < due:
            damage.notes.append(f"the last {due - there} bytes of latents are missing")
    else:
        planes = np.frombuffer(data, np.int8).reshape(record.header.channels, -1)
        low, high = record.header.codebook
        outside = ((planes < low) | (planes > high)).any(axis=1)
        damage.lose(np.flatnonzero(outside).tolist(), "symbols outside the codebook")
        missing = range(there // planes.shape[1], record.header.channels)
        damage.lose(missing, "the end of the data is missing")
        planes[list(damage.channels)] = 0
    return replace(record, data=bytes(data)), damage
