"""What is beyond the codebook: kept to the last step, dropped with its channel, bounded."""

import numpy as np
import page_decoder as page
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quantizers import Uniform, values
from records import from_bytes, latents, planes, reread, to_bytes

from nic.errors import CorruptError
from nic.format import channels
from nic.format.records import Stage
from nic.quantize import excess
from nic.quantize.rounding import dequantize, quantize
from nic.types import CODEBOOK

WHOLE = Uniform(has_excess=True)


def random_latents(seed, size, shape=(6, 7, 5)):
    return np.random.default_rng(seed).uniform(-size, size, shape).astype(np.float32)


@given(seed=st.integers(0, 99), size=st.sampled_from([1, 14, 20, 500, 1e6]))
def test_every_latent_comes_back_rounded(seed, size):
    source = random_latents(seed, size)
    record = reread(quantize(latents(source), WHOLE, 1))
    assert planes(record).min() >= -15
    assert planes(record).max() <= 16
    assert np.array_equal(values(reread(dequantize(record, WHOLE))), np.rint(source))


def test_a_value_beyond_2_to_24_stays_there():
    record = quantize(latents(np.full((1, 2, 5), 3e30, np.float32)), WHOLE, 1)
    assert (values(dequantize(record, WHOLE)) == 1 << 24).all()


def test_what_fits_the_codebook_takes_no_chunk():
    assert quantize(latents(random_latents(1, 7)), WHOLE, 1).excess == b""


def test_a_model_that_clips_has_none():
    record = quantize(latents(random_latents(1, 500)), Uniform(), 1)
    assert record.excess == b""
    assert dequantize(record, Uniform()).excess == b""


@pytest.mark.parametrize("chosen", ["0-2", "1,3", "4"])
def test_channels_are_the_same_without_the_others(chosen):
    record = quantize(latents(random_latents(3, 90)), WHOLE, 1)
    whole = values(dequantize(record, WHOLE))
    some = values(dequantize(reread(channels.select(record, channels.parse(chosen))), WHOLE))
    for c in range(5):
        kept = c in channels.parse(chosen)
        assert np.array_equal(some[..., c], whole[..., c] if kept else np.zeros((6, 7)))


@pytest.mark.parametrize("spread", [3, 9, 60, 1e5])
def test_chunks_are_read_as_the_page_says(spread):
    source = np.rint(np.random.default_rng(4).normal(0, spread, (3, 20, 30))).astype(np.int64)
    symbols = np.clip(source, *CODEBOOK).astype(np.int8)
    places = np.flatnonzero(source != symbols)
    beyond = (source - symbols).ravel()[places]
    chunk = excess.pack(symbols, places, beyond, CODEBOOK)
    assert bool(chunk) == bool(places.size)
    assert np.array_equal(excess.add(symbols, chunk, CODEBOOK), source)
    fewer = symbols.copy()
    fewer[1, 3:] = 0
    for some in (symbols, fewer, fewer[:2]):
        record = page.Packed(240, 160, CODEBOOK, "", [], b"", None, excess=chunk)
        expected = page.with_excess(record, some.reshape(len(some), -1).tolist())
        found = excess.add(some, chunk, CODEBOOK)
        assert found.reshape(len(some), -1).tolist() == expected


FAULTS = {  # of channel 0: one zero less than the bits of n, n, and 3 bits of the order
    "zeros that do not end": (b"\0\0", "does not end"),
    "a number too long": (b"\x80\0\0\0\0\x08", "too long"),
    "no amount": (b"\xc4\0", "too early"),
    "more than there are": (b"\xc8\x80", "do not exist"),  # n is 2 of one symbol
    "too many channels": (b"\0\xff\xc4\0", "do not exist"),
    "a value out of range": (  # 1, 10001, 111, then 26 zeros and as many bits and more of ones
        int("110001111" + 26 * "0" + 34 * "1" + "000", 2).to_bytes(9),
        "out of range",
    ),
    "an amount cut": (b"\xc7\xc0", "ends too early"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_chunks_are_refused(fault):
    chunk, message = FAULTS[fault]
    with pytest.raises(CorruptError, match=message):
        excess.add(np.zeros((1, 1, 1), np.int8), chunk, CODEBOOK)


def test_channels_that_are_not_there_cost_nothing():
    symbols = np.full((255, 1, 1), 16, np.int8)
    chunk = excess.pack(symbols, np.array([0, 254]), np.array([3, 1 << 25]), CODEBOOK)
    assert excess.add(symbols[:1], chunk, CODEBOOK).tolist() == [[[19]]]
    assert excess.add(symbols, chunk, CODEBOOK)[254] == 16 + (1 << 25)


def test_hard_edges_are_sharp_at_high_quality(codec, model):
    """Black and white next to each other: what the codebook alone cannot hold."""
    picture = np.full((96, 96, 3), 255, np.uint8)
    picture[30:66, 26:70] = 0
    packed = codec.forward(codec.encode(picture), Stage.PACKED, 95)
    assert len(packed.excess) > 0
    decoded = codec.decode(from_bytes(to_bytes(packed))).pixels
    blocks = ((decoded.astype(float) - picture) ** 2).reshape(12, 8, 12, 8, 3).mean((1, 3, 4))
    assert blocks.max() < 20**2
