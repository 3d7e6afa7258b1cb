"""The entropy coder's stage: any symbols come back, and damage is found."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import planes, reread, symbols

from nic.entropy import coding
from nic.errors import CorruptError, NicError
from nic.format.index import Channel, Mode
from nic.format.records import Stage

steady = settings(deadline=None, max_examples=50)

SOURCES = {
    "constant": lambda rng, n: np.full(n, rng.integers(-15, 17)),
    "zero": lambda rng, n: np.zeros(n),
    "sparse": lambda rng, n: rng.integers(-15, 17, n) * (rng.random(n) < 0.03),
    "uniform": lambda rng, n: rng.integers(-15, 17, n),
    "laplacian": lambda rng, n: np.clip(np.rint(rng.laplace(0, rng.uniform(0.1, 5), n)), -15, 16),
    "two symbols": lambda rng, n: np.where(rng.random(n) < 0.5, -15, 16),
    "one outlier": lambda rng, n: 16 * (np.arange(n) == rng.integers(n)),
}


def draw(kinds, h, w, seed):
    """Planes int (len(kinds), h, w), one of each kind."""
    rng = np.random.default_rng(seed)
    return np.stack([SOURCES[kind](rng, h * w).reshape(h, w) for kind in kinds])


drawn = st.builds(
    draw,
    st.lists(st.sampled_from(sorted(SOURCES)), min_size=1, max_size=6),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 10**6),
)


@steady
@given(drawn)
def test_any_symbols_come_back(source):
    coded = reread(coding.encode(symbols(source)))
    assert coded.stage == Stage.CODED
    assert (planes(reread(coding.decode(coded))) == source).all()


@steady
@given(drawn)
def test_any_symbols_come_back_with_the_model(codec, model, source):
    """With the prior that the model brings, if it brings one."""
    record = symbols(source, model=model.id, latent_channels=model.channels, quality=50.0)
    coded = reread(codec.forward(record, Stage.CODED))
    assert (planes(codec.to_symbols(coded)) == source).all()


@pytest.mark.parametrize("kind", SOURCES)
def test_a_channel_never_takes_more_than_five_bits_a_symbol(kind):
    source = draw([kind], 17, 23, 5)
    (channel,) = coding.encode(symbols(source)).header.index
    assert channel.size <= -(-17 * 23 * 5 // 8)


def test_each_kind_of_plane_gets_the_mode_that_is_shortest():
    source = draw(["zero", "constant", "uniform", "laplacian"], 64, 64, 3)
    modes = [channel.mode for channel in coding.encode(symbols(source)).header.index]
    assert modes == [Mode.EMPTY, Mode.CONSTANT, Mode.RAW, Mode.OWN]


def test_large_planes_cost_little_more_than_their_entropy():
    source = draw(["laplacian"] * 4, 256, 256, 11)
    for plane, channel in zip(source, coding.encode(symbols(source)).header.index, strict=True):
        share = np.unique(plane, return_counts=True)[1] / plane.size
        ideal = -(share * np.log2(share)).sum() * plane.size / 8
        assert ideal <= channel.size < 1.01 * ideal + 40


def test_channels_are_independent():
    """A channel's bytes do not change with its neighbours, so one can be read alone."""
    source = draw(["laplacian", "sparse", "uniform"], 20, 30, 1)
    together, alone = coding.encode(symbols(source)), coding.encode(symbols(source[:1]))
    size = alone.header.index[0].size
    assert together.data[:size] == alone.data


def test_metadata_passes_through():
    record = replace(symbols(draw(["sparse"], 4, 4, 0)), extra=((b"t", b"a title"),))
    coded = coding.encode(record)
    assert coded.extra == coding.decode(coded).extra == record.extra


def test_symbols_outside_the_codebook_are_refused():
    with pytest.raises(CorruptError, match="codebook"):
        coding.encode(symbols(np.full((1, 2, 2), 17)))


@pytest.mark.parametrize("codebook", [(-15, 16), (0, 31), (-31, 0), (-1, 1), (0, 0)])
def test_any_codebook_of_up_to_32_values_comes_back(codebook):
    low, high = codebook
    source = np.random.default_rng(4).integers(low, high + 1, (3, 9, 9))
    coded = reread(coding.encode(symbols(source, codebook=codebook)))
    assert (planes(coding.decode(coded)) == source).all()


def test_a_damaged_channel_is_named():
    coded = coding.encode(symbols(draw(["zero", "laplacian", "zero"], 32, 32, 9)))
    assert coded.header.index[1].mode == Mode.OWN
    cut = coded.header.index[1].size // 2
    index = list(coded.header.index)
    index[1] = Channel(Mode.OWN, cut)
    header = replace(coded.header, index=tuple(index))
    with pytest.raises(CorruptError, match="channel 1"):
        coding.decode(replace(coded, header=header, data=coded.data[:cut]))


@pytest.mark.parametrize("mode", [Mode.EMPTY, Mode.CONSTANT, Mode.RAW])
def test_a_payload_of_the_wrong_length_is_refused(mode):
    coded = coding.encode(symbols(np.zeros((1, 3, 3))))
    header = replace(coded.header, index=(Channel(mode, 7),))
    with pytest.raises(CorruptError, match="channel 0"):
        coding.decode(replace(coded, header=header, data=b"\0" * 7))


def test_a_constant_that_is_no_symbol_is_refused():
    coded = coding.encode(symbols(np.zeros((1, 3, 3))))
    header = replace(coded.header, index=(Channel(Mode.CONSTANT, 1),))
    with pytest.raises(CorruptError, match="channel 0"):
        coding.decode(replace(coded, header=header, data=b"\x20"))


@steady
@given(st.sampled_from(Mode), st.binary(max_size=60), st.integers(1, 9), st.integers(1, 9))
def test_any_payload_gives_symbols_of_the_codebook_or_an_error(mode, payload, h, w):
    """What the checksum does not catch, because it was written so."""
    coded = coding.encode(symbols(np.zeros((1, h, w))))
    header = replace(coded.header, index=(Channel(mode, len(payload)),))
    try:
        record = reread(replace(coded, header=header, data=payload))
        found = planes(coding.decode(record))
    except NicError:
        return
    assert found.shape == (1, h, w)
    assert found.min() >= -15
    assert found.max() <= 16
