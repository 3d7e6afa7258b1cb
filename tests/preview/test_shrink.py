"""Smaller pictures: means weighted by transparency, and the size that is asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nic.preview.shrink import LEAST, Planes, Shrink, averaged, resampled, shrunk

SIDES = st.integers(1, 21)


@given(SIDES, SIDES, st.sampled_from([1, 2, 4]), st.booleans())
def test_averages_are_means_of_the_cells(h, w, factor, transparent):
    rng = np.random.default_rng(h * w)
    colours = rng.random((3, h, w), np.float32)
    alpha = rng.choice(np.float32([0, 0.5, 1]), (h, w)) if transparent else None
    small = averaged(Planes(colours, alpha), factor)
    assert small.colours.shape == (3, -(-h // factor), -(-w // factor))
    assert (small.alpha is None) == (alpha is None)
    weights = np.ones((h, w)) if alpha is None else np.maximum(alpha, LEAST)
    for y, x in np.ndindex(small.colours.shape[1:]):
        cell = np.s_[y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
        for plane, found in zip(colours, small.colours, strict=True):
            expected = np.average(plane[cell], weights=weights[cell])
            assert found[y, x] == pytest.approx(expected, abs=1e-5)
        if alpha is not None:
            assert small.alpha[y, x] == pytest.approx(alpha[cell].mean(), abs=1e-6)


def test_the_colour_of_transparent_pixels_does_not_count():
    colours, alpha = np.zeros((1, 2, 4), np.float32), np.ones((2, 4), np.float32)
    colours[0, :, ::2], alpha[:, ::2] = 0.9, 0
    for small in (averaged(Planes(colours, alpha), 2), resampled(Planes(colours, alpha), 2, 1)):
        assert small.colours == pytest.approx(0, abs=1e-4)
        assert small.alpha == pytest.approx(0.5, abs=0.11)


def test_where_all_is_transparent_colours_are_kept():
    planes = Planes(np.full((3, 4, 4), 0.25, np.float32), np.zeros((4, 4), np.float32))
    for small in (averaged(planes, 2), resampled(planes, 2, 2)):
        assert small.colours == pytest.approx(0.25, abs=1e-5)
        assert not small.alpha.any()


@pytest.mark.parametrize(
    ("width", "height", "size", "columns", "rows"),
    [
        (1920, 1080, 256, 240, 135),  # 1/8 is smaller: it stays
        (1920, 1080, 240, 240, 135),
        (1920, 1080, 200, 200, 112),
        (1920, 1080, 120, 120, 68),  # 1/16 as it is
        (1080, 1920, 100, 56, 100),
        (1920, 1080, 60, 60, 34),
        (1920, 1080, 1, 1, 1),
        (5000, 3, 100, 100, 1),
        (7, 5, 256, 1, 1),
    ],
)
def test_the_longest_side_is_at_most_the_size(width, height, size, columns, rows):
    planes = Planes(np.zeros((3, -(-height // 8), -(-width // 8)), np.float32))
    small = shrunk(planes, width, height, Shrink(size=size))
    assert small.colours.shape == (3, rows, columns)


def test_resampling_keeps_what_is_flat_and_averages_what_is_not():
    colours = np.full((3, 30, 40), 0.5, np.float32)
    assert resampled(Planes(colours), 27, 20).colours == pytest.approx(0.5, abs=1e-5)
    colours[:, :, 20:] = 1
    small = resampled(Planes(colours), 4, 3).colours
    assert small[:, :, 0] == pytest.approx(0.5, abs=0.05)
    assert small[:, :, 3] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("depth", "white"), [(8, 255), (16, 65535)])
def test_samples_are_rounded_and_clipped(depth, white):
    values = np.float32([-0.1, 0, 0.5, 1, 1.1])
    pixels = Planes(values[None, None], values[None]).picture(depth)
    expected = [0, 0, round(white / 2), white, white]
    assert pixels.pixels[0].tolist() == pixels.alpha[0].tolist() == expected
    colour = Planes(np.stack([values[None]] * 3)).picture(depth)
    assert colour.pixels.shape == (1, 5, 3)
    assert colour.alpha is None
