"""What fse.h adds to the compatible format, once more in plain Python: written from its text.

Ramped payloads, contexts of decoded neighbours, and the tables of one byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, sqrt

from fse_model import (
    Bits,
    decoding_table,
    demand,
    encoding_table,
    from_bytes,
    spread,
    take,
    to_bits,
    to_bytes,
)

Plane = list[list[int]]
Norms = Sequence[Sequence[int]]
SINGLE = 7  # the ramp of one state throughout
REACH = (1, 2, 3, 4, 6, 8, 12, 16)
LEAST_ENERGY = (0, 1, 2, 3, 5, 8, 13, 20)  # of each context


def phases(n: int, ramp: int) -> list[tuple[int, int, int]]:
    """Return (first, last, states) of the phases of n symbols that are not empty, in order."""
    steps = n - 1  # the last symbol costs none
    unit = 16 * 4**ramp
    borders = (
        [0, 0, 0, 0] if ramp == SINGLE else [0, steps - 4 * unit, steps - 2 * unit, steps - unit]
    )
    borders = [max(border, 0) for border in borders] + [steps]
    drawn = [(borders[i], borders[i + 1], states) for i, states in enumerate((8, 4, 2, 1))]
    return [phase for phase in drawn if phase[0] < phase[1]] or [(0, 0, 1)]


def encode_ramp(
    symbols: Sequence[int], plane: Sequence[int], norms: Norms, log: int, least: int = 0
) -> bytes:
    """Encode to a ramped payload; the least ramp that fits, from `least` on."""
    if not symbols:
        return b""
    steps = [encoding_table(norm, log) for norm in norms]
    start = spread(norms[plane[-1]], log).index(symbols[-1])
    for ramp in range(least, SINGLE + 1):
        bits = _encode_ramp(symbols, plane, steps, log, start, ramp)
        if bits is not None:
            return to_bytes([0] * (-len(bits) % 8) + bits)
    raise AssertionError("a single state always fits")


def _encode_ramp(
    symbols: Sequence[int], plane: Sequence[int], steps: list[dict], log: int, start: int, ramp: int
) -> Bits | None:
    states = [start]
    backwards: Bits = []  # the payload's last bit first
    written = 0  # bits of the phase before
    for first, last, count in reversed(phases(len(symbols), ramp)):
        while len(states) < count:
            if written < len(states) * log:
                return None
            states += [_take_back(backwards, log) for _ in range(len(states))]
        before = len(backwards)
        for i in reversed(range(first, last)):
            j = (i - first) % count
            after, (states[j], k) = states[j], steps[plane[i]][symbols[i], states[j]]
            backwards += reversed(to_bits(after, k))
        written = len(backwards) - before
    front = [1, *to_bits(ramp, 3)]
    for state in states:
        front += to_bits(state, log)
    return front + backwards[::-1]


def _take_back(backwards: Bits, count: int) -> int:
    return sum(backwards.pop() << i for i in range(count))


def decode_ramp(
    data: bytes, plane: Sequence[int], norms: Norms, log: int, only: int | None = None
) -> list[int]:
    """Decode a ramped payload, of one ramp only if asked; fse_model.BadBytesError if it is none."""
    tables = [decoding_table(norm, log) for norm in norms]

    def cell_of(symbols: list[int], state: int) -> tuple[int, int, int]:
        return tables[plane[len(symbols)]][state]

    return _decode_ramp(data, len(plane), log, cell_of, only)


def _decode_ramp(
    data: bytes,
    n: int,
    log: int,
    cell_of: Callable[[list[int], int], tuple[int, int, int]],
    only: int | None,
) -> list[int]:
    """Decode n symbols; `cell_of` may look at those that came before."""
    if n == 0 or not data:
        demand(n == len(data) == 0)
        return []
    bits = from_bytes(data)
    demand(1 in bits[:8])
    del bits[: bits.index(1) + 1]
    ramp = take(bits, 3)
    demand(only in (None, ramp))
    parts = phases(n, ramp)
    states = [take(bits, log) for _ in range(parts[0][2])]
    symbols: list[int] = []
    for first, last, count in parts:
        given = [bit for state in states[count:] for bit in to_bits(state, log)]
        bits[:0], states = given, states[:count]
        left = len(bits)
        for i in range(first, last):
            j = (i - first) % count
            s, k, base = cell_of(symbols, states[j])
            symbols.append(s)
            states[j] = base + take(bits, k)
        demand(left - len(bits) >= len(given))
    demand(not bits)
    return [*symbols, _start(states[0], lambda state: cell_of(symbols, state)[0])]


def _start(state: int, symbol_of: Callable[[int], int]) -> int:
    demand(all(symbol_of(below) != symbol_of(state) for below in range(state)))
    return symbol_of(state)


# ---- Contexts ---------------------------------------------------------------------------------


def magnitude(rank: int) -> int:
    """Ranks 0, 1, 2, 3, 4, ... stand for 0, -1, 1, -2, 2, ...; at most 16."""
    return min(abs([0, -1, 1][rank] if rank < 3 else (rank + 1) // 2), 16)


def energy_context(plane: Plane, y: int, x: int) -> int:
    """Return the context of a place by the magnitudes around it."""

    def at(dy: int, dx: int) -> int:
        inside = y + dy >= 0 and 0 <= x + dx < len(plane[0])
        return magnitude(plane[y + dy][x + dx]) if inside else 0

    energy = 2 * at(-1, 0) + 2 * at(0, -1) + at(-1, 1) + at(-1, -1) + at(-2, 0) + at(0, -2)
    return max(context for context, least in enumerate(LEAST_ENERGY) if energy >= least)


def pair_context(plane: Plane, y: int, x: int, alphabet: int) -> int:
    """Return the context of a place by its neighbours to the west and to the north."""
    west = plane[y][x - 1] if x else None
    north = plane[y - 1][x] if y else None
    west, north = (north if west is None else west), (west if north is None else north)
    return (west or 0) * alphabet + (north or 0)


def table_plane(
    plane: Plane, tables: Plane, classes: Plane | None, context: str, alphabet: int
) -> list[int]:
    """Return the table of each symbol of a plane; tables are given by class and context."""
    return [
        table_at(plane, y, x, tables, classes, context, alphabet)
        for y in range(len(plane))
        for x in range(len(plane[0]))
    ]


def table_at(
    plane: Plane, y: int, x: int, tables: Plane, classes: Plane | None, context: str, alphabet: int
) -> int:
    """Return the table of one symbol."""
    which = 0
    if context == "ENERGY":
        which = energy_context(plane, y, x)
    if context == "PAIR":
        which = pair_context(plane, y, x, alphabet)
    return tables[classes[y][x] if classes else 0][which]


def decode_plane(
    data: bytes,
    shape: tuple[int, int],
    tables: Plane,
    classes: Plane | None,
    context: str,
    norms: Norms,
    log: int,
) -> list[int]:
    """Decode a plane whose tables follow from what was decoded before."""
    h, w = shape
    cells = [decoding_table(norm, log) for norm in norms]

    def cell_of(symbols: list[int], state: int) -> tuple[int, int, int]:
        y, x = divmod(len(symbols), w)
        known = symbols + [0] * (h * w - len(symbols))
        plane = [known[i * w : (i + 1) * w] for i in range(h)]
        return cells[table_at(plane, y, x, tables, classes, context, len(norms[0]))][state]

    return _decode_ramp(data, h * w, log, cell_of, None if context == "CLASS" else SINGLE)


# ---- Tables of one byte -----------------------------------------------------------------------


def decay(i: int) -> int:
    """Return 2^16 r, rounded, r^2 the decay from one integer to the next."""
    sigma = 0.1 * 80 ** (i / 31)
    return round(2**16 * exp(-1 / (sqrt(2) * sigma)))


def laplace(parameter: int, log: int) -> list[int] | None:
    """Return the counts of the 32 ranks in the table that a byte names; None if there is none."""
    j, i = divmod(parameter, 32)
    factor = decay(i)
    weights = [(2**16 - factor) * 2**16, factor * (2**32 - factor**2) // 2**17]
    while len(weights) <= REACH[j]:
        weights.append(weights[-1] * factor // 2**16 * factor // 2**16)
    by_rank = [weights[magnitude(rank)] for rank in range(32) if magnitude(rank) < len(weights)]
    cells = [max(weight * 2**log // sum(by_rank), 1) for weight in by_rank[1:]]
    zero = 2**log - sum(cells)
    return [zero, *cells] + [0] * (31 - len(cells)) if zero > 0 else None
