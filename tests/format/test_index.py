"""The channel index in bits: what is written comes back, and no bytes do harm."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nic.errors import CorruptError, VersionError
from nic.format.index import Channel, Mode, from_bits, to_bits

steady = settings(deadline=None, max_examples=100)

of_bytes = st.sampled_from([mode for mode in Mode if mode != Mode.EMPTY])
near = st.builds(Channel, of_bytes, st.integers(0, 300))
far = st.builds(Channel, of_bytes, st.integers(0, 1 << 40))
indices = st.lists(st.just(Channel(Mode.EMPTY, 0)) | near | far, max_size=255).map(tuple)


@steady
@given(indices, st.binary(max_size=3))
def test_an_index_comes_back_and_what_follows_it_stays(index, behind):
    written = to_bits(index)
    assert from_bits(written + behind, len(index)) == (index, len(written))


def test_bits_by_hand():
    """As the drawing says, beginning with a prediction and an order of 0."""
    index = [
        Channel(Mode.CONTEXT, 5),  # as assumed; above 2 * 0, so 5 of order 0: 6 is 00110
        Channel(Mode.EMPTY, 0),  # 0 000
        Channel(Mode.OWN, 4),  # 0 111; m = 40, P = 2; r = 20, k = 0; f = 2 * 2 - 1: 4 is 00100
        Channel(Mode.OWN, 3),  # m = 52, P = 3; r = 27, k = 0; f = 0: 1
    ]
    bits = "1 00110 0 000 0 111 00100 1 1".replace(" ", "")
    expected = int(bits.ljust(24, "0"), 2).to_bytes(3)
    assert to_bits(index) == expected
    assert from_bits(expected, 4) == (tuple(index), 3)


def test_no_channels_take_no_bytes():
    assert to_bits([]) == b""
    assert from_bits(b"\xff", 0) == ((), 0)


def test_sizes_alike_take_few_bits_each():
    index = [Channel(Mode.CONTEXT, 1000 + i * 37 % 101) for i in range(64)]
    assert len(to_bits(index)) < 80  # 128 as varints


@steady
@given(st.binary(max_size=60), st.integers(0, 255))
def test_any_bytes_are_read_or_refused(data, channels):
    try:
        index, used = from_bits(data, channels)
    except (CorruptError, VersionError):
        return
    assert len(index) == channels
    assert used <= len(data)
    assert from_bits(to_bits(index), channels)[0] == index


def test_an_endless_size_is_refused():
    with pytest.raises(CorruptError, match="too long"):
        from_bits(b"\x80" + bytes(20), 1)


def test_filling_that_is_not_zero_is_refused():
    sound = to_bits([Channel(Mode.CONTEXT, 0)])  # 1 1 000000
    assert sound == b"\xc0"
    with pytest.raises(CorruptError, match="end in zeros"):
        from_bits(b"\xc1", 1)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x90", b"\x00"])
def test_an_index_that_ends_too_early_is_refused(data):
    with pytest.raises(CorruptError, match="ends too early"):
        from_bits(data, 4)


def test_a_reserved_mode_is_refused():
    with pytest.raises(VersionError, match="channel mode 4"):
        from_bits(b"\x40\0", 1)
