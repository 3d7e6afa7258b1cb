"""Reading a damaged record: its intact chunks, and as much of chunk D as there is.

The header must be intact: its checksum is checked. It gives the length of chunk D.
"""

import io
import re
from itertools import islice

from nic.errors import ChecksumError, CorruptError, NicError
from nic.format.bits import MAX_VARINT, read_varint, varint
from nic.format.chunks import (
    CRC_SIZE,
    DATA,
    END,
    OPTIONAL,
    TRUNCATED,
    Chunk,
    Stage,
    read_opening,
    read_payload,
)
from nic.format.damage import Damage
from nic.format.records import MAGIC, Parts, Record, data_size, read_head

# Pattern of the letters of chunks that channels need: only the class map.
NEEDED = re.compile(b"[" + b"".join(kind.letter for kind in OPTIONAL if not kind.side) + b"]")
SEARCHED = 1 << 16  # bytes after a damaged chunk in which these chunks are searched
CANDIDATES = 64  # places that are tried; a bound, so that a hostile file cannot cost much time


class DamagedRecord:
    """The chunks of one record, some of which are damaged or cut off."""

    def __init__(self, data: bytes, damage: Damage) -> None:
        self._data = data
        self._source = io.BytesIO(data)
        self._damage = damage

    def read(self, error: NicError) -> Record:
        """The record without its damaged parts. Raises ``error`` when it cannot be recovered."""
        stage, header = read_head(self._source, self._source.read(len(MAGIC)))
        self._parts = Parts(stage, header)
        self._due = data_size(stage, header)
        self._opening = DATA + varint(self._due)
        at: int | None = self._source.tell()
        self._place = self._data.find(self._opening, at)
        while at is not None:
            at = self._step(at)
        if not self._damage or not self._parts.has_data:
            raise error
        if (stage >= Stage.CODED) != bool(header.index):
            raise error
        return self._parts.record()

    def _step(self, at: int) -> int | None:
        """Read the chunk at ``at``; return the place of the next one, None at the end."""
        if at >= len(self._data):
            self._damage.notes.append(TRUNCATED)
            return None
        if self._data[at : at + 1] == END:
            if left := len(self._data) - at - 1:
                self._damage.notes.append(f"{left} bytes after the record")
            return None
        chunk = self._read(at)
        if chunk is None:
            return self._broken(at)
        self._parts.take(chunk)
        if chunk.kind == DATA and len(chunk.payload) != self._due:
            self._damage.notes.append(f"{len(chunk.payload)} bytes of data, not {self._due}")
        return self._source.tell()

    def _read(self, at: int) -> Chunk | None:
        """The chunk at ``at``, None if it is damaged. Moves the source to its end."""
        self._source.seek(at)
        try:
            opening = read_opening(self._source)
            return opening and Chunk(opening.kind, read_payload(self._source, opening))
        except CorruptError:
            return None

    def _broken(self, at: int) -> int | None:
        """Skip the damaged chunk at ``at``, but keep chunk D, as much of it as there is.

        Returns: the place of the next chunk; None when there is none.
        """
        waiting = not self._parts.has_data
        if waiting and 0 <= self._place < at:
            self._place = self._data.find(self._opening, at)
        behind = at + len(self._opening) + self._due + CRC_SIZE
        if waiting and (self._place == at or (self._place < 0 and self._ends(behind))):
            if behind <= len(self._data):
                self._damage.data_failed = True
            payload = self._data[at + len(self._opening) :][: self._due]
            self._parts.take(Chunk(DATA, payload))
            return behind
        self._damage.notes.append(f"{ChecksumError.of(self._data[at : at + 1])} and is left out")
        claimed = self._claimed(at)
        if claimed is not None and (self._ends(claimed) or self._read(claimed)):
            return claimed
        return self._resume(at)

    def _claimed(self, at: int) -> int | None:
        """Where the next chunk is if the length of the chunk at ``at`` is right."""
        behind = iter(self._data[at + 1 : at + 1 + MAX_VARINT])
        try:
            length = read_varint(behind)
        except (StopIteration, CorruptError):
            return None
        return at + 1 + len(varint(length)) + length + CRC_SIZE

    def _resume(self, at: int) -> int | None:
        """The next intact class map, or else chunk D, after a chunk with a damaged length."""
        if self._parts.has_data or self._place <= at:
            return None
        near = self._data[: min(self._place, at + SEARCHED)]
        for found in islice(NEEDED.finditer(near, at + 1), CANDIDATES):
            if self._read(found.start()) and self._source.tell() <= self._place:
                return found.start()
        return self._place

    def _ends(self, at: int) -> bool:
        """Whether ``at`` is the place of the last byte, and that byte is END."""
        return at == len(self._data) - 1 and self._data[at:] == END
