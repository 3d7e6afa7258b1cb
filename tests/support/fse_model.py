"""The coder's format once more, in plain Python: slow, and written to be read.

A second opinion for byte-for-byte comparisons. Where fse.h derives tables, this model searches:
the encoder's step is found by inverting the decoder's table, bits are lists of 0 and 1. This is
the format of RFC 8878; fse_model_ramp.py has what fse.h adds to it.
"""

from __future__ import annotations

from collections.abc import Sequence

Bits = list[int]
ROUND_UP = (0, 473195, 504333, 520860, 550000, 700000, 750000, 830000)  # in 2^-20 cells


def to_bits(value: int, count: int) -> Bits:
    """Return the `count` low bits, lowest first."""
    return [value >> i & 1 for i in range(count)]


def to_bytes(bits: Bits) -> bytes:
    """Pack bits from the lowest of each byte upwards."""
    return bytes(
        sum(bit << i for i, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8)
    )


def table_log(limit: int, n: int, max_symbol: int) -> int:
    """Choose the table log for n symbols."""
    fine_enough = (n - 1).bit_length() - 3
    log = min(limit, fine_enough) if n > 4 else limit
    needed = min(n.bit_length(), max_symbol.bit_length() + 1)
    return min(max(log, needed, 5), 12)


def normalise(counts: Sequence[int], log: int) -> list[int] | None:
    """Return normalised counts, or None where the rounding finds no table."""
    total = sum(counts)
    norm = [_rounded(count, total, log) for count in counts]
    missing = 2**log - sum(map(abs, norm))
    if -missing >= max(0, *norm) // 2:
        norm = _normalise_rare(counts, total, log)
    else:
        norm[norm.index(max(norm))] += missing
    valid = sum(map(abs, norm)) == 2**log and all(
        (cells != 0) == (count != 0) for cells, count in zip(norm, counts, strict=True)
    )
    return norm if valid else None


def _rounded(count: int, total: int, log: int) -> int:
    if count == 0:
        return 0
    if count <= total >> log:
        return -1
    share = count * (2**62 // total)
    whole, rest = divmod(share, 2 ** (62 - log))
    return whole + (whole < 8 and rest > ROUND_UP[whole] << (42 - log))


def _normalise_rare(counts: Sequence[int], total: int, log: int) -> list[int]:
    norm: dict[int, int] = {}
    rest = {s: count for s, count in enumerate(counts) if count}

    def settle(limit: int, cells: int) -> None:
        for s in [s for s, count in rest.items() if count <= limit]:
            norm[s] = cells
            del rest[s]

    limit = 3 * total >> log + 1
    settle(total >> log, -1)
    settle(limit, 1)
    left = 2**log - len(norm)
    if left > 0 and sum(rest.values()) // left > limit:
        settle(3 * sum(rest.values()) // (2 * left), 1)
        left = 2**log - len(norm)
    if left > 0 and rest:
        unit = 2 ** (62 - log)
        at = unit // 2 - 1
        step = (unit * left + at) // sum(rest.values())
        for s, count in rest.items():
            norm[s] = (at + count * step) // unit - at // unit
            at += count * step
    elif left > 0 and all(counts):
        norm[max(norm, key=lambda s: (counts[s], -s))] += left
    elif left > 0:
        takers = sorted(s for s in norm if norm[s] > 0)
        for i in range(left):
            norm[takers[i % len(takers)]] += 1
    return [norm.get(s, 0) for s in range(len(counts))]


def header(norm: Sequence[int], log: int) -> bytes:
    """Describe normalised counts, RFC 8878 section 4.1.1."""
    bits = to_bits(log - 5, 4)
    left, s = 2**log, 0
    while left:
        bits += _truncated_binary(norm[s] + 1, left + 2)
        left -= abs(norm[s])
        s += 1
        if norm[s - 1] == 0:
            zeros = next(i for i, count in enumerate(norm[s:]) if count)
            bits += [1, 1] * (zeros // 3) + to_bits(zeros % 3, 2)
            s += zeros
    return to_bytes(bits)


def _truncated_binary(value: int, values: int) -> Bits:
    width = (values - 1).bit_length()
    unused = 2**width - values
    if value < unused:
        return to_bits(value, width - 1)
    return to_bits(value + unused if value >= 2 ** (width - 1) else value, width)


def spread(norm: Sequence[int], log: int) -> list[int]:
    """Return the symbol of each cell, RFC 8878 section 4.1.1."""
    size = 2**log
    rare = [s for s, count in enumerate(norm) if count == -1]
    cells = [-1] * (size - len(rare)) + rare[::-1]
    visits = (i * (size // 2 + size // 8 + 3) % size for i in range(size))
    free = (cell for cell in visits if cells[cell] == -1)
    for s, count in enumerate(norm):
        for _ in range(count):
            cells[next(free)] = s
    return cells


def decoding_table(norm: Sequence[int], log: int) -> list[tuple[int, int, int]]:
    """Return (symbol, bits, baseline) of each cell."""
    numbers = [abs(count) for count in norm]
    table = []
    for s in spread(norm, log):
        bits = log + 1 - numbers[s].bit_length()
        table.append((s, bits, (numbers[s] << bits) - 2**log))
        numbers[s] += 1
    return table


def encoding_table(norm: Sequence[int], log: int) -> dict[tuple[int, int], tuple[int, int]]:
    """Return (cell before, bits) by (symbol, cell after): the decoder's steps, inverted."""
    return {
        (s, after): (cell, bits)
        for cell, (s, bits, base) in enumerate(decoding_table(norm, log))
        for after in range(base, base + 2**bits)
    }


def payload(symbols: Sequence[int], norm: Sequence[int], log: int) -> bytes:
    """Encode symbols backwards with one table."""
    if not len(symbols):
        return b""
    steps, cells = encoding_table(norm, log), spread(norm, log)
    states: list[int | None] = [None, None]
    bits: Bits = []
    for i in reversed(range(len(symbols))):
        s = symbols[i]
        after = states[i % 2]
        if after is None:
            states[i % 2] = cells.index(s)
            continue
        states[i % 2], count = steps[s, after]
        bits += to_bits(after, count)
    for state in reversed(states):
        bits += [] if state is None else to_bits(state, log)
    return to_bytes([*bits, 1])


def compress(symbols: bytes, limit: int) -> tuple[str, bytes]:
    """Return what the reference's one-call compression does: its kind, and its bytes."""
    n = len(symbols)
    counts = [symbols.count(s) for s in range(max(symbols, default=0) + 1)]
    if n > 1 and max(counts) == n:
        return "RLE", b""
    if n <= 2 or max(counts) == 1 or max(counts) < n // 128:
        return "RAW", b""
    log = table_log(limit, n, len(counts) - 1)
    norm = normalise(counts, log)
    if norm is None:
        return "RAW", b""
    coded = header(norm, log) + payload(symbols, norm, log)
    return ("STREAM", coded) if len(coded) < n - 1 else ("RAW", b"")


def decompress(coded: bytes, n: int, max_symbol: int, max_log: int) -> bytes | None:
    """Return the symbols of a header and a payload, or None where they are not of this format."""
    try:
        norm, log, used = read_header(coded, max_symbol, max_log)
        return bytes(read_payload(coded[used:], n, norm, log))
    except BadBytesError:
        return None


class BadBytesError(Exception):
    """No writer of this format gives these bytes."""


def demand(condition: bool) -> None:
    if not condition:
        raise BadBytesError


def from_bytes(data: bytes) -> Bits:
    """Return the bits from the lowest of each byte upwards."""
    return [byte >> i & 1 for byte in data for i in range(8)]


def take(bits: Bits, count: int) -> int:
    """Remove `count` bits from the front: a number, its lowest bit first."""
    demand(len(bits) >= count)
    taken, bits[:count] = bits[:count], []
    return sum(bit << i for i, bit in enumerate(taken))


def read_header(data: bytes, max_symbol: int, max_log: int) -> tuple[list[int], int, int]:
    """Return normalised counts, their table log, and how many bytes describe them."""
    bits = from_bytes(data[:512])
    size = len(bits)
    log = take(bits, 4) + 5
    demand(log <= max_log)
    norm: list[int] = []
    left = 2**log
    while left:
        norm.append(_read_truncated_binary(bits, left + 2) - 1)
        left -= abs(norm[-1])
        zeros = 3 if norm[-1] == 0 else 0
        while zeros == 3:
            zeros = take(bits, 2)
            norm += zeros * [0]
        demand(len(norm) <= max_symbol + (left == 0))
    demand(2**log not in norm)
    padding = take(bits, len(bits) % 8)
    demand(padding == 0)
    return norm, log, (size - len(bits)) // 8


def _read_truncated_binary(bits: Bits, values: int) -> int:
    width = (values - 1).bit_length()
    unused = 2**width - values
    value = take(bits, width - 1)
    if value < unused:
        return value
    return value + 2 ** (width - 1) - unused if take(bits, 1) else value


def read_payload(data: bytes, n: int, norm: Sequence[int], log: int) -> list[int]:
    """Decode n symbols; the inverse of `payload`."""
    if n == 0 or not data:
        demand(n == len(data) == 0)
        return []
    bits = from_bytes(data)[::-1]  # the decoder reads from the end
    demand(1 in bits[:8])
    del bits[: bits.index(1) + 1]
    table = decoding_table(norm, log)
    states = [_take_downwards(bits, log) for _ in range(min(n, 2))]
    symbols = []
    for i in range(n):
        s, count, base = table[states[i % 2]]
        symbols.append(s)
        if i < n - len(states):
            states[i % 2] = base + _take_downwards(bits, count)
        else:  # where the encoder started: the symbol's first cell
            demand(states[i % 2] == [cell[0] for cell in table].index(s))
    demand(not bits)
    return symbols


def _take_downwards(bits: Bits, count: int) -> int:
    demand(len(bits) >= count)
    taken, bits[:count] = bits[:count], []
    return int("".join(map(str, taken)) or "0", 2)
