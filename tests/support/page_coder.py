"""Tables and payloads, in plain Python, written from the manual page nic(5) alone.

The part of page_decoder.py that knows nothing of pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from math import exp, sqrt
from typing import NamedTuple

REACH = (1, 2, 3, 4, 6, 8, 12, 16)


class Cell(NamedTuple):
    """What a state decodes to, how many bits advance it, and to which cell if they are 0."""

    rank: int
    k: int
    base: int
    lowest: bool


Table = list[Cell]
Tables = Callable[[list[int]], Table]  # of the next rank, given those before


class RefusedError(Exception):
    """The page calls this an error."""


def demand(fine: bool, fault: str) -> None:
    if not fine:
        raise RefusedError(fault)


# -- tables -------------------------------------------------------------------------------------


class Bits:
    """Bits from the lowest of each byte upwards, taken from either side."""

    def __init__(self, data: bytes) -> None:
        self.bits, self.left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        """Take the lowest bits."""
        demand(count <= self.left, "the bits end")
        value = self.bits & ((1 << count) - 1)
        self.bits, self.left = self.bits >> count, self.left - count
        return value

    def take_down(self, count: int) -> int:
        """Take the highest bits."""
        demand(count <= self.left, "the bits end")
        self.left -= count
        return self.bits >> self.left & ((1 << count) - 1)

    def give_back(self, value: int, count: int) -> None:
        """Put bits before the lowest one."""
        self.bits, self.left = self.bits << count | value, self.left + count


def read_description(data: bytes) -> tuple[tuple[int, ...], int, int]:
    """Return normalised counts, table log, and the bytes that they take."""
    bits = Bits(data)
    log = 5 + bits.take(4)
    demand(log <= 12, "table log")
    r, counts = 2**log, []
    while r > 0:
        demand(len(counts) <= 31, "a rank above 31")
        counts.append(_value(bits, r) - 1)
        demand(counts[-1] != 2**log, "a rank with all cells")
        r -= abs(counts[-1])
        further = 3 if counts[-1] == 0 else 0
        while further == 3:
            further = bits.take(2)
            counts += further * [0]
    demand(bits.take(bits.left % 8) == 0, "filled with zeros")
    return tuple(counts), log, len(data) - bits.left // 8


def _value(bits: Bits, r: int) -> int:
    b = (r + 1).bit_length()
    u = 2**b - r - 2
    low = bits.take(b - 1)
    if low < u:
        return low
    return low + 2 ** (b - 1) - u if bits.take(1) else low


def laplace(parameter: int, log: int) -> tuple[int, ...]:
    """Return the counts of a table of one byte."""
    j, i = divmod(parameter, 32)
    r = round(2**16 * exp(-1 / (sqrt(2) * 0.1 * 80 ** (i / 31))))
    w = [(2**16 - r) * 2**16, r * (2**32 - r**2) // 2**17]
    while len(w) <= 16:
        w.append(w[-1] * r // 2**16 * r // 2**16)
    ranks = range(min(2 * REACH[j], 31) + 1)
    total = sum(w[magnitude(rank)] for rank in ranks)
    counts = [max(1, w[magnitude(rank)] * 2**log // total) for rank in ranks]
    return 2**log - sum(counts[1:]), *counts[1:]


def magnitude(rank: int) -> int:
    return (rank + 1) // 2


@lru_cache(maxsize=256)
def cells(counts: tuple[int, ...], log: int) -> Table:
    """Return what every state decodes to."""
    size = 2**log
    rare = [rank for rank, count in enumerate(counts) if count == -1]
    rank_of = [-1] * (size - len(rare)) + rare[::-1]
    at = 0
    for rank, count in enumerate(counts):
        for _ in range(count):
            rank_of[at] = rank
            at = _next_cell(at, size)
            while at >= size - len(rare):
                at = _next_cell(at, size)
    table, y = [], [abs(count) for count in counts]
    for rank in rank_of:
        k = log - y[rank].bit_length() + 1
        table.append(Cell(rank, k, 2**k * y[rank] - size, y[rank] == abs(counts[rank])))
        y[rank] += 1
    return table


def _next_cell(cell: int, size: int) -> int:
    return (cell + size // 2 + size // 8 + 3) % size


# -- payloads -----------------------------------------------------------------------------------


def two_states(payload: bytes, n: int, log: int, table_of: Tables) -> list[int]:
    """Return the ranks of a two-state payload."""
    demand(payload[-1:] > b"\0", "no closing bit")
    bits = Bits(payload)
    while not bits.take_down(1):
        pass
    states = [bits.take_down(log) for _ in range(min(n, 2))]
    ranks: list[int] = []
    for i in range(n):
        cell = table_of(ranks)[states[i % 2]]
        ranks.append(cell.rank)
        if i + 2 < n:
            states[i % 2] = cell.base + bits.take_down(cell.k)
        else:
            demand(cell.lowest, "not the lowest cell")
    demand(bits.left == 0, "bits are left over")
    return ranks


def ramped(payload: bytes, n: int, log: int, table_of: Tables, single: bool = False) -> list[int]:
    """Return the ranks of a ramped payload; ``single``: of ramp 7."""
    demand(payload[:1] > b"\0", "no opening bit")
    bits = Bits(payload)
    while not bits.take(1):
        pass
    ramp = bits.take(3)
    demand(ramp == 7 or not single, "not a single state")
    phases = list(_phases(n, ramp))
    states = [bits.take(log) for _ in range(phases[0][0] if phases else 1)]
    ranks: list[int] = []
    given, start = 0, 0
    for s, end in phases:
        while len(states) > s:
            bits.give_back(states.pop(), log)
            given += log
        before = bits.left - given  # of the payload itself
        for i in range(start, end):
            j = (i - start) % s
            cell = table_of(ranks)[states[j]]
            states[j] = cell.base + bits.take(cell.k)
            ranks.append(cell.rank)
        demand(bits.left <= before, "bits given back are not used up")
        given, start = 0, end
    last = table_of(ranks)[states[0]]
    demand(bits.left == 0, "bits are left over")
    demand(last.lowest, "not the lowest cell")
    return [*ranks, last.rank]


def _phases(n: int, ramp: int) -> Iterator[tuple[int, int]]:
    """Yield the states of every phase, and the rank before which it ends."""
    u = 16 * 4**ramp
    for states, before in ((8, 4 * u), (4, 2 * u), (2, u), (1, 0)):
        if n - 1 - before > 0 and (ramp < 7 or states == 1):
            yield states, n - 1 - before
