"""Tables: normalised counts, their headers, and the cost of coding with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf, log2
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ._fse import ffi, lib
from .buffers import Bytes, pointer, unsigned, view
from .result import FseError, check

Counts: TypeAlias = Sequence[int] | npt.NDArray[np.integer]

MIN_LOG: int = lib.FSE_MIN_LOG
MAX_LOG: int = lib.FSE_MAX_LOG
DEFAULT_LOG = 11


@dataclass(frozen=True)
class Table:
    """Normalised counts of symbols 0, 1, ... `max_symbol`, and the log2 of their sum.

    Symbol s has `counts[s]` of the `2**table_log` cells. -1 means one cell, for a symbol that is
    rarer than one cell; 0 means that the symbol cannot be coded. The last count is never 0. Equal
    tables compare equal and hash equal. See RFC 8878, section 4.1.1.
    """

    counts: tuple[int, ...]
    table_log: int

    def __post_init__(self) -> None:
        """Drop zeros at the end, and check the counts.

        Raises:
            FseError: table log outside 5..12, more than 256 symbols, a count outside its range,
                a sum other than `2**table_log`, or a single symbol.
        """
        counts = np.trim_zeros(_integers(self.counts, -(2**15), 2**15 - 1, np.int16), "b")
        object.__setattr__(self, "counts", tuple(counts.tolist()))
        check(lib.fse_check(_int16(counts), len(counts), unsigned(self.table_log)))

    @classmethod
    def from_counts(cls, counts: Counts, table_log: int | None = None) -> Table:
        """Normalise a histogram, rounding as the reference does.

        Args:
            counts: occurrences of symbols 0, 1, ...; at least two differ from 0; the sum is at
                most 2**31 - 1.
            table_log: 5..12; None for the reference's choice, which is at most 11.

        Raises:
            FseError: there is no table with this table log for this histogram.
        """
        histogram = np.trim_zeros(_integers(counts, 0, 2**32 - 1, np.uint32), "b")
        if table_log is None:
            total = int(histogram.sum(dtype=np.uint64))
            table_log = lib.fse_table_log(DEFAULT_LOG, total, max(len(histogram) - 1, 0))
        norm = np.zeros(len(histogram), np.int16)
        check(
            lib.fse_normalise(
                ffi.from_buffer("uint32_t[]", histogram),
                len(histogram),
                unsigned(table_log),
                _int16(norm),
            )
        )
        return cls(tuple(norm.tolist()), table_log)

    @classmethod
    def from_normalised(cls, counts: Counts, table_log: int) -> Table:
        """Make a table of normalised counts.

        Raises:
            FseError: the counts are not normalised, see `__post_init__`.
        """
        return cls(tuple(_integers(counts, -(2**15), 2**15 - 1, np.int16).tolist()), table_log)

    @classmethod
    def from_parameter(cls, parameter: int, table_log: int = MAX_LOG) -> Table:
        """Return the table of a one-byte parameter: a rounded Laplace distribution over ranks.

        Ranks 0, 1, 2, 3, 4, ... stand for 0, -1, 1, -2, 2, ...

        Args:
            parameter: 0..255. The lower five bits i give the standard deviation
                0.1 * 80 ** (i / 31). The upper three bits give the largest magnitude with a cell:
                1, 2, 3, 4, 6, 8, 12, or all magnitudes of 32 ranks.
            table_log: 5..12.

        Raises:
            FseError: an argument out of range, or too few cells.
        """
        if not 0 <= parameter <= 255:
            raise FseError(f"parameter {parameter} is not in 0..255")
        norm = np.zeros(lib.FSE_RANKS, np.int16)
        check(lib.fse_laplace(parameter, unsigned(table_log), _int16(norm)))
        return cls(tuple(norm.tolist()), table_log)

    @classmethod
    def from_header(
        cls, data: Bytes, *, max_symbol: int = 255, max_table_log: int = MAX_LOG
    ) -> tuple[Table, int]:
        """Read a header (RFC 8878, section 4.1.1) at the start of `data`.

        Returns:
            The table, and the number of bytes of its header.

        Raises:
            CorruptStream: truncated, or not the header of a table within the given bounds.
            FseError: `max_symbol` outside 0..255 or `max_table_log` outside 5..12.
        """
        src = view(data)
        alphabet = ffi.new("unsigned *", unsigned(max_symbol + 1))
        table_log = ffi.new("unsigned *", unsigned(max_table_log))
        used = ffi.new("size_t *")
        norm = np.zeros(lib.FSE_ALPHABET, np.int16)
        check(lib.fse_read_header(pointer(src), len(src), _int16(norm), alphabet, table_log, used))
        return cls(tuple(norm[: alphabet[0]].tolist()), table_log[0]), used[0]

    def header(self) -> bytes:
        """Return the table's header (RFC 8878, section 4.1.1), 2 to 481 bytes."""
        dst = ffi.new("uint8_t[]", lib.FSE_HEADER_BOUND)
        written = ffi.new("size_t *")
        check(
            lib.fse_write_header(
                _int16(self.normalised), len(self.counts), self.table_log, dst, written
            )
        )
        return bytes(ffi.buffer(dst, written[0]))

    @property
    def normalised(self) -> npt.NDArray[np.int16]:
        """The counts as a new int16 array (max_symbol + 1,)."""
        return np.array(self.counts, np.int16)

    @property
    def max_symbol(self) -> int:
        """The largest symbol with a cell."""
        return len(self.counts) - 1

    def bits(self, histogram: Counts) -> float:
        """Return the cost, in bits, of coding symbols with this histogram.

        It is their cross entropy with the counts, sum h(s) * (table_log - log2 c(s)); infinite if
        a symbol has no cell. A payload rarely differs from it by more than a thousandth, apart
        from its two states and closing bit.

        Raises:
            FseError: a negative count.
        """
        cost = 0.0
        for symbol, occurrences in enumerate(_integers(histogram, 0, 2**62, np.int64).tolist()):
            if occurrences:
                cells = abs(self.counts[symbol]) if symbol <= self.max_symbol else 0
                cost += occurrences * (self.table_log - log2(cells)) if cells else inf
        return cost


@lru_cache(maxsize=1)
def _parametric_bits() -> npt.NDArray[np.float64]:
    """Code length (256, 32) of every rank for every parameter; infinite without a cell."""
    bits = np.full((256, lib.FSE_RANKS), inf)
    for row, parameter in zip(bits, range(256), strict=True):
        counts = Table.from_parameter(parameter).normalised.astype(np.float64)
        row[: len(counts)] = MAX_LOG - np.log2(counts)
    return bits


def best_parameter(histogram: Counts) -> tuple[int, float]:
    """Return the parameter whose table codes ranks with this histogram shortest, and the bits.

    Both are for the largest table log, the default of `Table.from_parameter`.

    Raises:
        FseError: occurrences of ranks from 32 on, or a negative count.
    """
    counts = np.trim_zeros(_integers(histogram, 0, 2**62, np.int64), "b")
    if not 0 < len(counts) <= lib.FSE_RANKS:
        raise FseError(f"a histogram of {len(counts)} ranks where 1 to {lib.FSE_RANKS} are due")
    seen = np.flatnonzero(counts)
    cost = _parametric_bits()[:, seen] @ counts[seen]
    best = int(cost.argmin())
    return best, float(cost[best])


def _integers(
    values: Counts, least: int, most: int, dtype: type[np.integer]
) -> npt.NDArray[np.integer]:
    array = np.asarray(values)
    if array.ndim != 1 or not (array.size == 0 or np.issubdtype(array.dtype, np.integer)):
        raise FseError("counts must be integers in one dimension")
    if array.size and (array.min() < least or array.max() > most):
        raise FseError(f"a count is outside {least}..{most}")
    return np.ascontiguousarray(array, dtype)


def _int16(norm: npt.NDArray[np.integer]) -> object:
    return ffi.from_buffer("int16_t[]", norm)
