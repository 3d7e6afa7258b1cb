"""Pixels and latents of one picture, kept to be read several times by a search.

They are kept in memory for a small picture, and in a temporary file for a large one: the latents
of a gigapixel take 5 GB.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from tempfile import SpooledTemporaryFile
from typing import Any, NamedTuple

import numpy as np

from nic.format.records import Record
from nic.picture.rows import Rows
from nic.types import Pixels

IN_MEMORY = 1 << 28  # bytes; more goes to a temporary file


class Place(NamedTuple):
    """Offset and size, in bytes, of a piece of data in the file."""

    start: int
    size: int


class Kept:
    """Pieces of data, in memory or in a temporary file."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 # closed with this object
        self._end = 0

    def add(self, data: bytes | memoryview) -> Place:
        """Keep a piece of data. Raises OSError when the disk is full."""
        self._file.seek(self._end)
        self._file.write(data)
        place = Place(self._end, len(data))
        self._end += place.size
        return place

    def get(self, place: Place) -> bytes:
        """Read a piece of data."""
        self._file.seek(place.start)
        return self._file.read(place.size)


class KeptRecords:
    """Records that can be read any number of times."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._kept = Kept()
        self._records = [
            (replace(record, data=b""), self._kept.add(memoryview(record.data).cast("B")))
            for record in records
        ]

    def __iter__(self) -> Iterator[Record]:
        for record, place in self._records:
            yield replace(record, data=self._kept.get(place))


class KeptPixels:
    """The rows of a picture: kept when they are first read, and then read again."""

    def __init__(self, picture: Rows) -> None:
        self.picture = picture
        self._kept = Kept()
        self._strips: list[tuple[tuple[int, ...], np.dtype[Any], Place]] = []

    @property
    def first(self) -> Rows:
        """The picture, for the first reading, which keeps its rows; use it once."""

        def read(n: int) -> Pixels:
            rows = np.ascontiguousarray(self.picture.read(n))
            if rows.size:
                self._strips.append((rows.shape, rows.dtype, self._kept.add(rows.data.cast("B"))))
            return rows

        return replace(self.picture, read=read)

    @property
    def again(self) -> Rows:
        """The picture from its kept rows; only after ``first`` has been read to the end."""
        left, at = self._pieces(), self._nothing

        def read(n: int) -> Pixels:
            nonlocal at
            parts = [at] if len(at) else []
            while sum(map(len, parts)) < n:
                parts.append(next(left))
            rows = np.concatenate(parts) if parts else self._nothing
            at = rows[n:]
            return rows[:n]

        return replace(self.picture, read=read)

    @property
    def _nothing(self) -> Pixels:
        shape, kind, _ = self._strips[0]
        return np.empty((0, *shape[1:]), kind)

    def _pieces(self) -> Iterator[Pixels]:
        """Yield the kept rows from top to bottom, in arrays (n, W[, 3])."""
        for shape, kind, place in self._strips:
            yield np.frombuffer(self._kept.get(place), kind).reshape(shape)
