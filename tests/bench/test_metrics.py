"""PSNR, SSIM and MS-SSIM against scikit-image and against what they must do."""

import math

import numpy as np
import pytest

from nic.picture.metrics import ms_ssim, psnr, ssim


@pytest.fixture
def pair(photographs):
    """A photograph, and the same with noise and a blur."""
    source = photographs["chelsea"]
    noise = np.random.default_rng(1).normal(0, 8, source.shape)
    mixed = (source + np.roll(source, 1, axis=1).astype(float)) / 2 + noise
    return source, np.clip(mixed, 0, 255).astype(np.uint8)


def test_psnr_equals_scikit_image(pair):
    metrics = pytest.importorskip("skimage.metrics")
    expected = metrics.peak_signal_noise_ratio(*pair, data_range=255)
    assert psnr(*pair) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("grey", [False, True])
def test_ssim_equals_scikit_image(pair, grey):
    """Where the window lies inside the picture, which is where ours is evaluated at all."""
    metrics = pytest.importorskip("skimage.metrics")
    x, y = (p[..., 1] if grey else p for p in pair)
    _, everywhere = metrics.structural_similarity(
        x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255,
        channel_axis=None if grey else -1, full=True,
    )  # fmt: skip
    assert ssim(x, y) == pytest.approx(everywhere[5:-5, 5:-5].mean(), abs=1e-6)


def test_equal_pictures_have_the_best_score(pair):
    source, _ = pair
    assert psnr(source, source) == math.inf
    assert ssim(source, source) == pytest.approx(1)
    assert ms_ssim(source, source) == pytest.approx(1)


def test_psnr_of_a_known_error():
    black = np.zeros((4, 4, 3), np.uint8)
    assert psnr(black, black + 255) == pytest.approx(0)
    assert psnr(black, black + 1) == pytest.approx(20 * math.log10(255))


@pytest.mark.parametrize("score", [psnr, ssim, ms_ssim])
def test_scores_fall_with_noise_and_are_symmetric(photographs, score):
    source = photographs["chelsea"].astype(float)
    noise = np.random.default_rng(2).normal(0, 1, source.shape)
    noisy = [np.clip(source + s * noise, 0, 255).astype(np.uint8) for s in (0, 4, 12, 40)]
    found = [score(noisy[0], worse) for worse in noisy[1:]]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]
    assert score(noisy[2], noisy[0]) == pytest.approx(score(noisy[0], noisy[2]))


def test_ms_ssim_forgives_fine_noise_more_than_ssim(pair):
    assert ssim(*pair) < ms_ssim(*pair) < 1


def test_ms_ssim_of_a_negative_is_not_above_zero(photographs):
    """Negative contrast factors count as 0; their fractional power would not be a number."""
    source = photographs["chelsea"]
    assert ms_ssim(source, 255 - source) == pytest.approx(0, abs=0.2)


def test_ms_ssim_needs_176_pixels():
    assert ms_ssim(np.zeros((176, 176), np.uint8), np.zeros((176, 176), np.uint8)) == 1
    with pytest.raises(ValueError, match="176"):
        ms_ssim(np.zeros((175, 300), np.uint8), np.zeros((175, 300), np.uint8))


def test_grey_and_colour_agree_on_grey_pictures(pair):
    x, y = (p[..., 0] for p in pair)
    for score in (psnr, ssim, ms_ssim):
        both = (np.repeat(p[..., None], 3, axis=2) for p in (x, y))
        assert score(*both) == pytest.approx(score(x, y))
