"""Ramped payloads: the C coder against the model, both machine codes, and bytes to refuse."""

import fse_model as model
import fse_model_ramp as ramped
import numpy as np
import pytest
from fse_sources import full_counts, random_counts
from hypothesis import given, settings
from hypothesis import strategies as st

import nic.fse as fse
from nic.fse import CorruptStream, FseError, Table
from nic.fse._fse import ffi, lib
from nic.fse.result import check

GUARD = 32  # bytes on either side of an output that must stay as they are
RAMPS = range(8)
steady = settings(deadline=None)


class Guarded:
    """An output of exactly `size` bytes, between others that nobody may change."""

    def __init__(self, size):
        self.size = size
        self.memory = ffi.new("uint8_t[]", b"\xa5" * (size + 2 * GUARD))
        self.inside = self.memory + GUARD

    def read(self, size):
        data = bytes(ffi.buffer(self.memory, self.size + 2 * GUARD))
        assert data[:GUARD] == data[GUARD + self.size :][:GUARD] == b"\xa5" * GUARD
        return data[GUARD:][:size]


def c_bytes(values):
    if values is None:
        return ffi.NULL
    return values if isinstance(values, bytes) else np.asarray(values, np.uint8).tobytes()


def encode(bank, symbols, plane=None, *, ramp=0, portable=False, spare=0):
    """Call fse_encode_ramp, with `spare` bytes more than it needs."""
    n, written = len(symbols), ffi.new("size_t *")
    dst = Guarded(max(lib.fse_ramp_bound(n, bank.table_log) + spare, 0))
    result = lib.fse_encode_ramp(
        bank._encoder.bank, c_bytes(symbols), c_bytes(plane), n, ramp,
        int(portable), dst.inside, dst.size, written,
    )  # fmt: skip
    payload = dst.read(written[0])
    assert result == lib.FSE_OK or not payload
    check(result)
    return payload


def decode(bank, payload, n, plane=None, *, portable=False):
    """Call fse_decode_ramp, with the payload at the very end of its memory."""
    symbols = Guarded(n)
    result = lib.fse_decode_ramp(
        bank._decoder.bank, ffi.from_buffer("uint8_t[]", bytearray(payload)), len(payload),
        c_bytes(plane), n, int(portable), symbols.inside,
    )  # fmt: skip
    decoded = symbols.read(n)
    check(result)
    return decoded


def draw_bank(rng, tables=1, log=None, size=None):
    """Return a bank and its counts; from skewed to flat."""
    log = int(rng.integers(5, 13)) if log is None else log
    size = int(rng.choice([2, 3, 32, 256 if log < 9 else 48])) if size is None else size
    norms = [random_counts(rng, size, log) for _ in range(tables)]
    return fse.Bank(Table(tuple(norm), log) for norm in norms), norms, log


def draw_symbols(rng, norms, plane, typical):
    """Return symbols that the tables can code; as probable as coded, or all alike."""
    cells = [np.abs(norm) if typical else np.not_equal(norm, 0) for norm in norms]
    draws = [rng.choice(len(c), len(plane), p=c / c.sum()) for c in cells]
    return np.array([draws[t][i] for i, t in enumerate(plane)], np.uint8).tolist()


def check_against_model(rng, n, ramp, *, tables=1, log=None, size=None):
    """Encode and decode with both coders and both machine codes."""
    bank, norms, log = draw_bank(rng, tables, log, size)
    plane = rng.integers(0, tables, n).tolist()
    symbols = draw_symbols(rng, norms, plane, rng.random() < 0.7)
    expected = ramped.encode_ramp(symbols, plane, norms, log, ramp)
    for portable in (False, True):
        given_plane = plane if tables > 1 or portable else None
        assert encode(bank, symbols, given_plane, ramp=ramp, portable=portable) == expected
        assert decode(bank, expected, n, given_plane, portable=portable) == bytes(symbols)
    assert ramped.decode_ramp(expected, plane, norms, log) == symbols
    return expected


# ---- Against the model ------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(8))
def test_short_payloads_equal_the_model(part):
    """All lengths up to 200, with any table log, alphabet and least ramp."""
    for n in range(part, 201, 8):
        rng = np.random.default_rng([1, n])
        check_against_model(rng, n, int(rng.choice([0, 0, rng.integers(8)])), log=5 + n // 8 % 8)
        check_against_model(rng, n, 0, tables=int(rng.integers(2, 6)), log=5 + n // 8 % 5, size=4)


def test_large_banks_and_alphabets_equal_the_model():
    """As large as they get."""
    rng = np.random.default_rng(7)
    check_against_model(rng, 200, 0, tables=64, log=6, size=40)
    check_against_model(rng, 300, 0, log=12, size=256)


@pytest.mark.parametrize("ramp", RAMPS)
def test_phase_borders_equal_the_model(ramp):
    """Where a phase is about to begin: one symbol fewer, none, one, and nine symbols more."""
    rng = np.random.default_rng([2, ramp])
    for share in (1, 2, 4):
        border = share * 16 * 4 ** min(ramp, 3) + 1
        for n in (border - 1, border, border + 1, border + 9):
            payload = check_against_model(rng, n, min(ramp, 3), size=min(32, 2**ramp + 1))
            assert ramp_of(payload) >= min(ramp, 3)
            check_against_model(rng, min(n, 600), ramp)


@pytest.mark.parametrize("ramp", RAMPS)
def test_long_payloads_of_every_ramp(ramp):
    """Where all phases occur; too long for the model, but not for a round trip."""
    rng = np.random.default_rng([3, ramp])
    n = min(5 * 16 * 4**ramp, 2**19) + int(rng.integers(8))
    bank, norms, _ = draw_bank(rng, 3, size=32)
    plane = rng.integers(0, 3, n)
    symbols = bytes(draw_symbols(rng, norms, plane, True))
    payload = encode(bank, symbols, plane, ramp=ramp)
    assert payload == encode(bank, symbols, plane, ramp=ramp, portable=True)
    for portable in (False, True):
        assert decode(bank, payload, n, plane, portable=portable) == symbols


def ramp_of(payload):
    """Return the ramp that a payload states."""
    bits = model.from_bytes(payload[:2])
    at = bits.index(1)
    return sum(bit << i for i, bit in enumerate(bits[at + 1 : at + 4]))


@pytest.mark.parametrize(
    ("cells", "log", "n", "expected"),
    [
        (16, 5, 500, 0), (24, 5, 500, 1), (31, 5, 5000, 2), (250, 8, 5000, 3),
        (1020, 10, 20_000, 4), (1023, 10, 80_000, 5), (4095, 12, 50_000, 6), (4095, 12, 200_000, 7),
    ],
)  # fmt: skip
def test_ramp_is_the_least_that_fits(cells, log, n, expected):
    """Steep tables give too few bits to fork from: a longer ramp, up to a single state."""
    bank, symbols = fse.Bank([Table((cells, 2**log - cells), log)]), bytes(n)
    payload = encode(bank, symbols)
    assert ramp_of(payload) == expected
    assert decode(bank, payload, n) == symbols
    for ramp in range(expected):
        assert encode(bank, symbols, ramp=ramp) == payload


def test_longer_ramp_than_needed():
    """A decoder takes any ramp that an encoder can be asked for."""
    rng = np.random.default_rng(5)
    bank, norms, _ = draw_bank(rng, log=9, size=32)
    symbols = draw_symbols(rng, norms, [0] * 500, True)
    payloads = [encode(bank, symbols, ramp=ramp) for ramp in RAMPS]
    assert [ramp_of(payload) for payload in payloads] == list(RAMPS)
    assert len(set(payloads)) == 8
    for payload in payloads:
        assert decode(bank, payload, 500) == bytes(symbols)
        assert fse.decode_ramp(payload, 500, bank.tables[0]).tobytes() == bytes(symbols)


@given(st.integers(0, 2**32), st.integers(0, 3000), st.booleans())
@steady
def test_round_trip(seed, n, portable):
    """Any table, any number of symbols, through the Python face."""
    rng = np.random.default_rng(seed)
    bank, norms, _ = draw_bank(rng)
    symbols = np.array(draw_symbols(rng, norms, [0] * n, True), np.uint8)
    payload = fse.encode_ramp(symbols, bank.tables[0], portable=portable)
    assert payload == fse.encode_ramp(symbols, bank.tables[0], portable=not portable)
    assert np.array_equal(fse.decode_ramp(payload, n, bank.tables[0], portable=portable), symbols)


@pytest.mark.parametrize("log", [5, 6, 7, 8])
def test_longest_payloads_fit_their_bound(log):
    """Symbols that cost as many bits as a table has; the output is checked for other writes."""
    for count in (1, -1):
        norms = [[count] * 2**log]
        bank = fse.Bank([Table(tuple(norms[0]), log)])
        for n in (1, 2, 3, 16, 17, 18, 33, 34, 65, 66, 80, 200):
            symbols = np.random.default_rng([8, n]).integers(0, 2**log, n).tolist()
            for portable in (False, True):
                payload = encode(bank, symbols, portable=portable)
                assert 8 * len(payload) - 7 <= log * n + 4 <= 8 * len(payload)
                assert decode(bank, payload, n) == bytes(symbols)


# ---- Bytes that must be refused ---------------------------------------------------------------

CORPUS = [  # symbols, table log, alphabet, ramp
    (1, 5, 2, 0), (2, 12, 3, 0), (17, 6, 32, 0), (40, 7, 5, 0), (70, 5, 4, 0),
    (90, 9, 256, 0), (150, 8, 32, 0), (200, 10, 16, 1), (120, 11, 32, 7), (300, 5, 2, 0),
]  # fmt: skip


def corpus_entry(n, log, size, ramp):
    rng = np.random.default_rng([6, n, log, size])
    norms = [full_counts(rng, min(size, 2**log), log)]
    bank = fse.Bank([Table(tuple(norms[0]), log)])
    symbols = draw_symbols(rng, norms, [0] * n, True)
    return bank, norms, symbols, encode(bank, symbols, ramp=ramp)


def check_damaged(bank, norms, damaged, n):
    """Both machine codes and the model agree; what decodes is the payload of what came out."""
    found = []
    for portable in (False, True):
        try:
            found.append(decode(bank, damaged, n, portable=portable))
        except CorruptStream as error:
            found.append(str(error))
    assert found[0] == found[1]
    accepted = isinstance(found[0], bytes)
    try:
        expected = ramped.decode_ramp(damaged, [0] * n, norms, bank.table_log)
    except model.BadBytesError:
        assert not accepted
        return False
    assert found[0] == bytes(expected)
    assert encode(bank, expected, ramp=ramp_of(damaged)) == damaged
    return True


@pytest.mark.parametrize("entry", CORPUS)
def test_every_truncation(entry):
    """Cut anywhere, at either end."""
    bank, norms, symbols, payload = corpus_entry(*entry)
    for size in range(len(payload)):
        assert not check_damaged(bank, norms, payload[:size], len(symbols))
        check_damaged(bank, norms, payload[len(payload) - size :], len(symbols))


@pytest.mark.parametrize("entry", CORPUS)
def test_every_bit_flip(entry):
    """Each is an error, or the payload of other symbols."""
    bank, norms, symbols, payload = corpus_entry(*entry)
    accepted = 0
    for bit in range(8 * len(payload)):
        damaged = bytearray(payload)
        damaged[bit // 8] ^= 1 << bit % 8
        accepted += check_damaged(bank, norms, bytes(damaged), len(symbols))
    assert accepted <= 5 * len(payload)


@pytest.mark.parametrize("n", [0, 1, 2, 149, 151, 2**16])
def test_wrong_number_of_symbols(n):
    """A payload for other than n symbols."""
    bank, _, _, payload = corpus_entry(150, 8, 32, 0)
    with pytest.raises(CorruptStream):
        decode(bank, payload, n)


# Each symbol is one bit. The start of 0 is cell 0, that of 1 is cell 3.
EVEN = fse.Bank([Table((16, 16), 5)])
FAULTS = {
    "no byte": (b"", 1, "no closing bit"),
    "no closing bit in the first byte": (b"\0\1", 1, "no closing bit"),
    "ends in the ramp": (b"\x80", 1, "truncated"),
    "ends in the state": (b"\x10", 1, "truncated"),
    "a byte too many": (b"\x80\0\0", 1, "longer"),
    "symbols for no symbols": (b"\x80\0", 0, "longer"),
    "a state that is no start": (bytes([0b1000_0000, 0b0010_0000]), 1, "where coding starts"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_corrupt_payload(fault):
    """Each fault is a CorruptStream that says what it is; the model refuses it too."""
    payload, n, message = FAULTS[fault]
    with pytest.raises(CorruptStream, match=message):
        decode(EVEN, payload, n)
    with pytest.raises(model.BadBytesError):
        ramped.decode_ramp(payload, [0] * n, [[16, 16]], 5)


def test_bits_given_back_and_not_used():
    """Symbols that cost no bit leave those of the forked state lying."""
    norms = [[31, 1]]
    bits = [1, *model.to_bits(0, 3), *model.to_bits(30, 5), *model.to_bits(0, 5)]
    payload = model.to_bytes([0] * (-len(bits) % 8) + bits)
    with pytest.raises(CorruptStream, match="do not fork"):
        decode(fse.Bank([Table((31, 1), 5)]), payload, 18)
    with pytest.raises(model.BadBytesError):
        ramped.decode_ramp(payload, [0] * 18, norms, 5)


# ---- Arguments that must be refused -----------------------------------------------------------

TWO = fse.Bank([Table((16, 0, 16), 5)])
ARGUMENTS = {
    "buffer a byte short": (lambda: encode(EVEN, b"\0\1", spare=-1), "too small"),
    "no buffer": (lambda: encode(EVEN, b"", spare=-1000), "too small"),
    "absent symbol": (lambda: encode(TWO, b"\0\1\0"), "no cell"),
    "absent symbol, first of many": (lambda: encode(TWO, b"\1" + bytes(99)), "no cell"),
    "absent symbol, last": (lambda: encode(TWO, b"\0\0\1"), "no cell"),
    "symbol above the alphabet": (lambda: encode(EVEN, b"\2\0"), "no cell"),
    "absent table, encoder": (lambda: encode(EVEN, b"\0", b"\1"), "lacks"),
    "absent table, decoder": (lambda: decode(EVEN, b"\x80\0", 1, b"\1"), "lacks"),
    "fewer than no symbols": (lambda: fse.decode_ramp(b"", -1, TWO.tables[0]), "not in 0"),
    "2^31 symbols": (lambda: fse.decode_ramp(b"\1", 2**31, TWO.tables[0]), "not in 0"),
    "signed symbols": (
        lambda: fse.encode_ramp(np.zeros(3, np.int8), TWO.tables[0]), "unsigned bytes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", ARGUMENTS)
def test_refused_arguments(fault):
    """Each is an FseError that blames the argument, never the coded bytes."""
    call, message = ARGUMENTS[fault]
    with pytest.raises(FseError, match=message) as error:
        call()
    assert error.type is FseError


def test_ramps_beyond_the_last_mean_a_single_state():
    """The C API clamps them."""
    symbols = bytes([0, 1] * 40)
    assert encode(EVEN, symbols, ramp=2**31) == encode(EVEN, symbols, ramp=7)
