"""Golomb codes, bits and varints: what is written is read back, and no bytes do harm."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nic.errors import ChecksumError, CorruptError
from nic.format.bits import Bits, golomb, read_varint, to_bytes, varint

steady = settings(deadline=None, max_examples=100)


@pytest.mark.parametrize(
    ("value", "order", "code"),
    [(0, 0, "1"), (1, 0, "010"), (2, 0, "011"), (3, 0, "00100"), (0, 2, "100"), (9, 2, "01101")],
)
def test_codes_by_hand(value, order, code):
    assert golomb(value, order) == code


@steady
@given(st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 9)), max_size=9))
def test_numbers_come_back(numbers):
    data = to_bytes("".join(golomb(value, order) for value, order in numbers))
    bits = Bits(data, "it")
    assert [bits.golomb(order, 64) for _, order in numbers] == [value for value, _ in numbers]
    assert not bits.more()
    assert bits.close() == len(data)


def test_a_code_with_too_many_zeros_is_refused():
    code = golomb(1 << 26, 0)
    assert Bits(to_bytes(code), "it").golomb(0, 26) == 1 << 26
    with pytest.raises(CorruptError, match="it is damaged: a number is too long"):
        Bits(to_bytes("0" + code), "it").golomb(0, 26)


@pytest.mark.parametrize("data", [b"", b"\0", b"\x08"])
def test_a_code_that_is_cut_is_refused(data):
    with pytest.raises(CorruptError, match="it is damaged: it ends too early"):
        Bits(data, "it").golomb(0, 26)


def test_zeros_fill_the_last_byte_and_no_more():
    bits = Bits(b"\x80", "it")
    assert bits.number(1) == 1
    assert not bits.more()
    with pytest.raises(CorruptError, match="does not end"):
        Bits(b"\0", "it").more()
    bits = Bits(b"\x81", "it")
    bits.number(1)
    with pytest.raises(CorruptError, match="does not end in zeros"):
        bits.close()


@steady
@given(st.integers(0, 2**63 - 1))
def test_varints_come_back(value):
    assert read_varint(iter(varint(value))) == value


@pytest.mark.parametrize(
    ("value", "coded"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (16384, "808001")]
)
def test_varints_are_leb128(value, coded):
    """The examples of the DWARF 5 standard (7.6) and of Protocol Buffers."""
    assert varint(value).hex() == coded


def test_an_endless_varint_is_refused():
    with pytest.raises(CorruptError, match="too long"):
        read_varint(iter(b"\x80" * 20))


def test_an_error_of_a_checksum_survives_the_way_from_another_process():
    error = ChecksumError.of(b"D", "; channel 3 is damaged")
    again = pickle.loads(pickle.dumps(error))
    assert (again.kind, str(again)) == (b"D", "chunk D fails its checksum; channel 3 is damaged")
    assert str(ChecksumError.of(b"\x07")) == "a chunk fails its checksum"
