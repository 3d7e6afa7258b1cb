"""The quantizer: what comes back after it, what it refuses, and what it writes down."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quantizers import Uniform, values
from records import latents, planes, reread

from nic.errors import NicError, UsageError
from nic.quantize.rounding import dequantize, quantize

steady = settings(deadline=None, max_examples=40)


@steady
@given(
    h=st.integers(1, 9),
    w=st.integers(1, 9),
    spread=st.sampled_from([0.01, 0.1, 0.3]),
    quality=st.sampled_from([1, 7.5, 50, 100]),
    channels=st.none() | st.integers(1, 5),
    seed=st.integers(0, 999),
)
def test_what_the_codebook_holds_comes_back_to_half_a_step(h, w, spread, quality, channels, seed):
    model = Uniform()
    noise = np.random.default_rng(seed).laplace(0, spread, (h, w, 5))
    source = np.clip(noise, -7 / quality, 7 / quality).astype(np.float32)
    record = reread(quantize(latents(source), model, quality, channels))
    back = values(dequantize(record, model))
    kept = channels or 5
    assert np.abs(back - source)[..., :kept].max() <= 0.5 / quality + 1e-6
    assert not back[..., kept:].any()


@steady
@given(seed=st.integers(0, 999), size=st.sampled_from([30, 200, 1e6, 1e30]))
def test_an_overflow_of_predicted_channels_stays_in_a_closed_loop(seed, size):
    """Quantizing what was decoded gives the same symbols: the encoder saw what is decoded."""
    model = Uniform()
    source = np.random.default_rng(seed).uniform(-size, size, (6, 7, 5)).astype(np.float32)
    record = quantize(latents(source), model, 1)
    assert planes(record).min() >= -15
    assert planes(record).max() <= 16
    again = quantize(dequantize(record, model), model, 1)
    assert (planes(again) == planes(record)).all()


def test_a_smooth_predicted_channel_may_leave_the_codebook():
    """Its residuals are coded, so values of hundreds of steps survive."""
    ramp = np.repeat(np.arange(0, 300, 10, dtype=np.float32)[None, :, None], 5, axis=2)
    back = values(dequantize(quantize(latents(ramp), Uniform(), 1), Uniform()))
    assert (back[..., :2] == ramp[..., :2]).all()
    assert back[..., 2:].max() == 16


def test_the_quality_asked_for_is_the_quality_recorded():
    source = latents(np.zeros((2, 2, 5)), quality=30.0)
    assert quantize(latents(np.zeros((2, 2, 5))), Uniform()).header.quality == 50
    assert quantize(source, Uniform()).header.quality == 30
    assert quantize(source, Uniform(), 80).header.quality == 80


def test_the_channels_asked_for_are_the_channels_kept():
    source = latents(np.ones((2, 2, 5)), channels=3)
    assert planes(quantize(source, Uniform())).shape == (3, 2, 2)
    assert planes(quantize(source, Uniform(), channels=5)).shape == (5, 2, 2)


def test_fewer_channels_are_a_prefix_of_all():
    source = latents(np.random.default_rng(2).normal(0, 0.1, (4, 5, 5)))
    whole, part = (planes(quantize(source, Uniform(), 50, n)) for n in (5, 2))
    assert (whole[:2] == part).all()


@pytest.mark.parametrize("quality", [0.5, 100.5, -1, 1000])
def test_a_quality_out_of_range_is_refused(quality):
    with pytest.raises(UsageError, match=f"quality {quality:g}"):
        quantize(latents(np.zeros((1, 1, 5))), Uniform(), quality)


@pytest.mark.parametrize("channels", [6, -1])
def test_channels_out_of_range_are_refused(channels):
    with pytest.raises(UsageError, match=f"{channels} channels"):
        quantize(latents(np.zeros((1, 1, 5))), Uniform(), None, channels)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_latents_that_are_not_finite_are_refused_without_a_warning(value):
    source = np.zeros((2, 3, 5), np.float32)
    source[1, 2, 4] = value
    with pytest.raises(NicError, match="not finite"):
        quantize(latents(source), Uniform(), 90)
