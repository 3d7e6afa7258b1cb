"""The entropy coder: known answers, round trips, and input that it has to refuse.

The known answers are results of FSE_compress2(dst, capacity, src, n, maxSym, tableLog) of the
reference implementation, at commit 9f30e09.
"""

import contextlib
import json

import fse_model as model
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import SHARED

import nic.fse as fse
from nic.fse import CorruptStream, FseError, Kind, Table

steady = settings(deadline=None)  # a busy machine is no failure
KINDS = {"fse": Kind.STREAM, "raw": Kind.RAW, "rle": Kind.RLE}

# name, maxSym, tableLog, kind, src, out
KNOWN = [
    ("known corner", 31, 11, "fse",
     "0000000200000000",
     "d0e35531"),
    ("two syms alt", 31, 9, "fse",
     "03040304030403040304030403040304",
     "108c1f11550201"),
    ("n=2 same", 31, 9, "rle",
     "0101",
     ""),
    ("n=3 aab", 31, 9, "raw",
     "010102",
     ""),
    ("one", 31, 9, "raw",
     "05",
     ""),
    ("lap0.5-8", 31, 11, "fse",
     "0f100f0f0f0f0f0f",
     "10feed074b31"),
    ("lap0.5-9", 31, 11, "fse",
     "0f0e0f0f0f100f0f0f",
     "10fe2bfb199703"),
    ("lap2-63", 31, 11, "fse",
     "0e100e0f0f10110e0e0f0c0e0f0f10100f100c130d0e0f0f100e0e110f11100d0e0e0c0f0f100b0f0e0d110f0f0e0f0e110f0f0c0e0f0f130f110e0d0f110f",
     "11fc09450161d931e697f81643883680af2645f3a8d35dd392e059f738"),
    ("lap0.5-64", 31, 11, "fse",
     "100f0f0f0f0f0f0f1010100e0f0f0f0f0f0f0f0f10100f0f0f10100f0f0f0f0f0f100f0e0f0e0f0f0e0f0f0f0f0f100f100f100f0f0f100f0f0e0e0f0f0e0f0f",
     "11fc87c80fcbd377c335c8e9e2bc8754"),
    ("lap0.15-65", 31, 11, "fse",
     "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0e0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",
     "10fe033f33b002"),
]  # fmt: skip

ALL_KNOWN = SHARED / "vectors" / "fse.json"


def check_known(max_symbol, table_log, kind, src, out):
    """Encode `src`, decode `out`."""
    coded = fse.compress(src, max_symbol=max_symbol, table_log=table_log)
    assert coded == fse.Coded(KINDS[kind], out)
    if coded.kind is Kind.STREAM:
        back = fse.decompress(out, len(src), max_symbol=max_symbol, max_table_log=table_log)
        assert back.tobytes() == src


@pytest.mark.parametrize("known", KNOWN, ids=[known[0] for known in KNOWN])
def test_known_answer(known):
    """The reference's bytes, both ways."""
    _, max_symbol, table_log, kind, src, out = known
    check_known(max_symbol, table_log, kind, bytes.fromhex(src), bytes.fromhex(out))


def test_all_known_answers():
    """Those of the file, which are too long to stand here; the longest come without source."""
    if not ALL_KNOWN.is_file():
        pytest.skip(f"{ALL_KNOWN} is not there")
    vectors = json.loads(ALL_KNOWN.read_text())["vectors"]
    assert len(vectors) == 40
    for v in vectors:
        out = bytes.fromhex(v["out"])
        src = fse.decompress(out, v["n"]).tobytes() if v["src"] is None else bytes.fromhex(v["src"])
        check_known(v["maxSym"], v["tableLog"], v["kind"], src, out)


# ---- Round trips ------------------------------------------------------------------------------


@st.composite
def tables(draw, log=None):
    """Draw any table: a partition of its cells to some symbols, with rare ones among them."""
    log = draw(st.integers(5, 12)) if log is None else log
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    present = draw(st.integers(2, min(256, 2**log)))
    symbols = np.sort(rng.choice(256, present, replace=False))
    edges = np.sort(rng.choice(2**log - 1, present - 1, replace=False)) + 1
    counts = np.zeros(256, int)
    counts[symbols] = np.diff(np.concatenate([[0], edges, [2**log]]))
    counts[(counts == 1) & (rng.random(256) < 0.5)] = -1
    return Table.from_normalised(counts, log)


@st.composite
def texts(draw):
    """Draw a table, and symbols that it can code."""
    table = draw(tables())
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    symbols = rng.choice(np.flatnonzero(table.counts), draw(st.integers(0, 300)))
    return table, symbols.astype(np.uint8)


@given(st.binary(max_size=600), st.integers(5, 12))
@steady
def test_compress_round_trip(symbols, table_log):
    """Any bytes; what comes out is shorter than what goes in."""
    coded = fse.compress(symbols, table_log=table_log)
    assert (coded.kind is Kind.STREAM) == (len(coded.data) > 0)
    if coded.kind is Kind.STREAM:
        assert len(coded.data) < len(symbols) - 1
        assert fse.decompress(coded.data, len(symbols)).tobytes() == symbols
    if coded.kind is Kind.RLE:
        assert len(set(symbols)) == 1


@given(tables())
@steady
def test_header_round_trip(table):
    """A table comes back equal, also where its header ends exactly at the buffer's end."""
    header = table.header()
    assert Table.from_header(header) == (table, len(header))
    assert Table.from_header(header + b"\xff\xff") == (table, len(header))
    assert Table.from_normalised(table.normalised, table.table_log) == table


@given(texts())
@steady
def test_payload_round_trip(text):
    """Any number of symbols from 0."""
    table, symbols = text
    payload = fse.encode(symbols, table)
    assert np.array_equal(fse.decode(payload, len(symbols), table), symbols)


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=256), st.integers(8, 12))
@steady
def test_normalised_counts_follow_the_histogram(counts, table_log):
    """Each symbol that occurs gets cells, no other does, and they add up."""
    counts[0] += 1
    counts[-1] += 1
    table = Table.from_counts(counts, table_log)
    assert sum(map(abs, table.counts)) == 2**table_log
    assert [c != 0 for c in table.counts] == [c != 0 for c in counts]


@pytest.mark.parametrize("sigma", [0.3, 1, 4])
def test_bits_tells_the_size(sigma):
    """The estimate is within a thousandth of the payload, its two states and closing bit."""
    rng = np.random.default_rng(1)
    symbols = np.clip(np.rint(15 + rng.laplace(0, sigma, 100_000)), 0, 31).astype(np.uint8)
    histogram = np.bincount(symbols)
    table = Table.from_counts(histogram, 11)
    size = 8 * len(fse.encode(symbols, table))
    assert abs(size - table.bits(histogram)) <= size / 1000 + 2 * 11 + 8


def test_bits_of_a_symbol_without_cell():
    """Such a symbol cannot be coded, so its cost is infinite; one that never occurs is free."""
    table = Table((16, 0, 16), 5)
    assert table.bits([3, 0, 4, 0]) == 7
    assert table.bits([0, 1]) == table.bits([0, 0, 0, 1]) == float("inf")


def test_shapes_and_buffers():
    """Any C-contiguous buffer of unsigned bytes, read in C order."""
    table = Table((20, 12), 5)
    plane = np.arange(12, dtype=np.uint8).reshape(3, 4) % 2
    payload = fse.encode(plane, table)
    assert payload == fse.encode(bytearray(plane.tobytes()), table)
    assert np.array_equal(fse.decode(memoryview(payload), 12, table), plane.ravel())
    for wrong in (plane.T, plane.astype(np.int8), plane.astype(np.uint16)):
        with pytest.raises(FseError, match="C-contiguous buffer of unsigned bytes"):
            fse.encode(wrong, table)


# ---- Coded bytes that must be refused ---------------------------------------------------------

SYMBOLS = np.clip(np.rint(np.random.default_rng(0).laplace(15, 2, 400)), 0, 31).astype(np.uint8)
STREAM = fse.compress(SYMBOLS).data
TABLE, HEADER_SIZE = Table.from_header(STREAM)
PAYLOAD = STREAM[HEADER_SIZE:]


CORRUPT = {
    "no byte": (b"", "header is truncated"),
    "header cut": (STREAM[: HEADER_SIZE - 1], "header is truncated"),
    "nothing after the header": (STREAM[:HEADER_SIZE], "no closing bit"),
    "one symbol owns all cells": (model.header([32], 5) + b"\1", "all cells to one symbol"),
    "table log 13": (model.header([4096, 4096], 13) + PAYLOAD, "table log is too large"),
    "symbols above 255": (model.header([0] * 256 + [16, 16], 5) + PAYLOAD, "too many symbols"),
    "zeros without end": (b"\x10\xfe" + b"\xff" * 600, "too many symbols"),
    "closing bit missing": (STREAM + b"\0", "no closing bit"),
    "initial states missing": (STREAM[:HEADER_SIZE] + b"\1", "payload is truncated"),
    "second initial state cut": (STREAM[:HEADER_SIZE] + b"\xff\1", "payload is truncated"),
    "a byte too many": (STREAM[:HEADER_SIZE] + b"\0" + PAYLOAD, "longer than its symbols"),
    "first byte changed": (
        STREAM[:HEADER_SIZE] + bytes([PAYLOAD[0] ^ 1]) + PAYLOAD[1:],
        "state where coding starts",
    ),
}


@pytest.mark.parametrize("fault", CORRUPT)
def test_corrupt_stream(fault):
    """Each fault is a CorruptStream that says what it is."""
    data, message = CORRUPT[fault]
    with pytest.raises(CorruptStream, match=message):
        fse.decompress(data, len(SYMBOLS))


def test_header_padding_must_be_zero():
    """The bits after the last count carry nothing, so they must not carry anything."""
    header = Table((16, 16), 5).header()
    spare = 8 * len(header) - (4 + 5 + 5)
    assert spare > 0
    with pytest.raises(CorruptStream, match="padding"):
        Table.from_header(header[:-1] + bytes([header[-1] | 0x80]))


def test_header_above_the_given_bounds():
    """The caller's bounds hold, not only the format's."""
    table = Table((0, 0, 60, 4), 6)
    assert Table.from_header(table.header(), max_symbol=3, max_table_log=6)[0] == table
    with pytest.raises(CorruptStream, match="too many symbols"):
        Table.from_header(table.header(), max_symbol=2)
    with pytest.raises(CorruptStream, match="table log is too large"):
        Table.from_header(table.header(), max_table_log=5)


@pytest.mark.parametrize("size", range(len(STREAM)))
def test_truncated_stream(size):
    """Cut anywhere, at either end."""
    with pytest.raises(CorruptStream):
        fse.decompress(STREAM[:size], len(SYMBOLS))
    with pytest.raises(CorruptStream):
        fse.decode(PAYLOAD[max(0, len(PAYLOAD) - size) :][:-1], len(SYMBOLS), TABLE)


@given(tables())
@steady
def test_truncated_header(table):
    """Cut anywhere; a header never reads as a shorter one."""
    header = table.header()
    for size in range(len(header)):
        with pytest.raises(CorruptStream, match="truncated"):
            Table.from_header(header[:size])


@given(texts(), st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_payload(text, data):
    """Bit flips: an error, or the symbols whose payload the damaged one is."""
    table, symbols = text
    damaged = bytearray(fse.encode(symbols, table))
    for _ in range(data.draw(st.integers(1, 3))):
        bit = data.draw(st.integers(0, 8 * len(damaged) - 1)) if damaged else None
        if bit is not None:
            damaged[bit // 8] ^= 1 << bit % 8
    try:
        decoded = fse.decode(damaged, len(symbols), table)
    except CorruptStream:
        return
    assert decoded.shape == symbols.shape
    assert fse.encode(decoded, table) == damaged


@given(st.binary(max_size=80), st.integers(0, 200))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes(data, n):
    """Any bytes: an error, or exactly n symbols."""
    with contextlib.suppress(CorruptStream):
        assert fse.decompress(data, n).shape == (n,)


def test_most_bit_flips_are_found():
    """Each bit in turn. States merge again soon, so some flips cost a few symbols and no more."""
    accepted = 0
    for bit in range(8 * len(PAYLOAD)):
        damaged = bytearray(PAYLOAD)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            fse.decode(damaged, len(SYMBOLS), TABLE)
            accepted += 1
        except CorruptStream:
            pass
    assert accepted < 0.2 * 8 * len(PAYLOAD)


@pytest.mark.parametrize("n", [0, 1, 2, len(SYMBOLS) - 1, len(SYMBOLS) + 1, 2**20])
def test_wrong_number_of_symbols(n):
    """A payload for other than n symbols."""
    with pytest.raises(CorruptStream):
        fse.decode(PAYLOAD, n, TABLE)


# ---- Arguments that must be refused -----------------------------------------------------------

TWO = Table((16, 0, 16), 5)
ARGUMENTS = {
    "counts, table log 0": (lambda: Table.from_counts([1, 2], 0), "table log"),
    "counts, table log 4": (lambda: Table.from_counts([1, 2], 4), "table log"),
    "counts, table log 13": (lambda: Table.from_counts([1, 2], 13), "table log"),
    "counts, table log 2^32 + 5": (lambda: Table.from_counts([1, 2], 2**32 + 5), "table log"),
    "normalised, table log 0": (lambda: Table((1,), 0), "table log"),
    "compress, table log 0": (lambda: fse.compress(b"aab", table_log=0), "table log"),
    "compress, table log 13": (lambda: fse.compress(b"aab", table_log=13), "table log"),
    "decompress, table log 0": (lambda: fse.decompress(b"", 0, max_table_log=0), "table log"),
    "compress, maximum 0": (lambda: fse.compress(b"aab", max_symbol=0), "alphabet"),
    "compress, maximum 256": (lambda: fse.compress(b"aab", max_symbol=256), "alphabet"),
    "257 symbols": (lambda: Table.from_counts([1] * 257), "alphabet"),
    "no symbol": (lambda: Table.from_counts([]), "alphabet"),
    "empty histogram": (lambda: Table.from_counts([0, 0]), "alphabet"),
    "negative count": (lambda: Table.from_counts([1, -1]), "outside"),
    "fractions": (lambda: Table.from_counts([0.5, 0.5]), "integers"),
    "histogram too large": (lambda: Table.from_counts([2**31, 1]), "2\\^31"),
    "one symbol in the histogram": (lambda: Table.from_counts([0, 7]), "one symbol"),
    "one symbol in the table": (lambda: Table.from_normalised([0, 32], 5), "one symbol"),
    "more symbols than cells": (lambda: Table.from_counts([1] * 33, 5), "does not fit"),
    "sum too small": (lambda: Table((16, 15), 5), "add up"),
    "sum too large": (lambda: Table((16, 17), 5), "add up"),
    "count below -1": (lambda: Table((30, -2), 5), "out of range"),
    "count above all cells": (lambda: Table((-1, 33), 5), "out of range"),
    "symbol above the maximum": (lambda: fse.compress(b"\1\1\2", max_symbol=1), "no cell"),
    "symbol above the table": (lambda: fse.encode(b"\0\0\0\3", TWO), "no cell"),
    "symbol without cells": (lambda: fse.encode(b"\0\0\1\0\0", TWO), "no cell"),
    "last symbol without cells": (lambda: fse.encode(b"\0\0\1", TWO), "no cell"),
    "no table": (lambda: fse.Bank([]), "1 to 64"),
    "65 tables": (lambda: fse.Bank([TWO] * 65), "1 to 64"),
    "two table logs": (lambda: fse.Bank([TWO, Table((32, 32), 6)]), "one table log"),
    "fewer than no symbols": (lambda: fse.decode(b"", -1, TWO), "not in 0"),
    "2^31 symbols": (lambda: fse.decode(b"\1", 2**31, TWO), "not in 0"),
}


@pytest.mark.parametrize("fault", ARGUMENTS)
def test_refused_arguments(fault):
    """Each is an FseError that blames the argument, never the coded bytes."""
    call, message = ARGUMENTS[fault]
    with pytest.raises(FseError, match=message) as error:
        call()
    assert error.type is FseError


def test_alphabet_too_large_for_its_table():
    """More table log than asked for: the reference then writes beyond what it set aside."""
    src = bytes.fromhex("b700b7f5f5f5b7f50a0abd0a31174442983b4f4ccececed2d2d2d2d2d2be9efe")
    assert fse.compress(src, table_log=5).kind is Kind.RAW
    src = bytes(1500) + src
    coded = fse.compress(src, table_log=5)
    assert Table.from_header(coded.data)[0].table_log == 9
    assert fse.decompress(coded.data, len(src)).tobytes() == src


def test_equal_tables_are_equal():
    """Trailing zeros are no part of a table."""
    assert Table((16, 16, 0, 0), 5) == Table.from_normalised(np.array([16, 16]), 5)
    assert hash(Table((16, 16, 0, 0), 5)) == hash(Table((16, 16), 5))
    assert Table((16, 16, 0, 0), 5).max_symbol == 1
