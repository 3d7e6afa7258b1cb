"""Distortion of decoded pictures: PSNR, SSIM and MS-SSIM on 8-bit RGB, as in the literature.

Samples of 16 bits are measured as fractions of 8-bit samples: 65535 counts as 255. So PSNR has the
peak 65535, and a picture has the same measures in 8 and in 16 bits, but for rounding.
"""

from functools import reduce

import numpy as np

from nic.types import Doubles, peak
from nic.types import Pixels as Image

PEAK = 255.0
WINDOW, SIGMA = 11, 1.5  # Gaussian window of Wang et al. (2004)
STRIP = 32  # rows of window positions at a time; they fit the cache, which saves a third of time
C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
# Exponents of the five scales: Wang, Simoncelli and Bovik, Asilomar 2003.
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def psnr(reference: Image, decoded: Image) -> float:
    """Peak signal-to-noise ratio in dB over all samples; infinite for equal pictures."""
    return psnr_of(squared_error(reference, decoded) / reference.size)


def squared_error(reference: Image, decoded: Image) -> float:
    """Sum of squared differences of all samples, in units of 8-bit samples."""
    return float(np.sum((_values(reference) - _values(decoded)) ** 2))


def psnr_of(error: float) -> float:
    """PSNR in dB for a mean squared error in units of 8-bit samples."""
    return float(10 * np.log10(PEAK**2 / error)) if error else float("inf")


def ssim(reference: Image, decoded: Image) -> float:
    """Structural similarity (Wang et al. 2004), mean over the colour channels."""
    return float(_similarity(_planes(reference), _planes(decoded))[0].mean())


def ms_ssim(reference: Image, decoded: Image) -> float:
    """Multi-scale SSIM with five scales, mean over the colour channels.

    Raises: ValueError when a side is below 176 pixels, as the coarsest scale needs one window.
    """
    return similarities(reference, decoded)[1]


def similarities(reference: Image, decoded: Image) -> tuple[float, float]:
    """SSIM and MS-SSIM, in the time of MS-SSIM. Raises ValueError as ``ms_ssim`` does."""
    if min(reference.shape[:2]) < WINDOW << (len(SCALE_WEIGHTS) - 1):
        raise ValueError(f"MS-SSIM needs sides of {WINDOW << 4} pixels or more")
    x, y = _planes(reference), _planes(decoded)
    wholes, factors = [], []
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            x, y = _halve(x), _halve(y)
        whole, contrast = _similarity(x, y)
        wholes.append(whole)
        last = scale == len(SCALE_WEIGHTS) - 1
        factors.append(np.maximum(whole if last else contrast, 0) ** weight)
    return float(wholes[0].mean()), float(reduce(np.multiply, factors).mean())


def _values(image: Image) -> Doubles:
    """The samples as floats from 0 to 255, for 8 and for 16 bits."""
    values = image.astype(np.float64)
    return values if image.dtype == np.uint8 else values * (PEAK / peak(image))


def _planes(image: Image) -> Doubles:
    return _values(np.atleast_3d(image)).transpose(2, 0, 1)  # (C, H, W)


def _similarity(x: Doubles, y: Doubles) -> Doubles:
    """(2, C): mean SSIM of each plane, and the mean of its contrast-structure factor."""
    h, w = x.shape[1] - WINDOW + 1, x.shape[2] - WINDOW + 1
    strips = [slice(top, top + STRIP + WINDOW - 1) for top in range(0, h, STRIP)]
    return np.asarray(sum(_sums(x[:, strip], y[:, strip]) for strip in strips) / (h * w))


def _sums(x: Doubles, y: Doubles) -> Doubles:
    """The values of ``_similarity`` as sums over all window positions, not means."""
    mean_x, mean_y = _blur(x), _blur(y)
    squares, product = mean_x**2 + mean_y**2, mean_x * mean_y
    contrast = (2 * (_blur(x * y) - product) + C2) / (_blur(x * x + y * y) - squares + C2)
    whole = (2 * product + C1) / (squares + C1) * contrast
    return np.array([whole.sum(axis=(1, 2)), contrast.sum(axis=(1, 2))])


def _blur(x: Doubles) -> Doubles:
    """Separable Gaussian filter at valid positions: (C, H, W) -> (C, H-10, W-10)."""
    taps = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
    taps /= taps.sum()
    h, w = x.shape[1] - WINDOW + 1, x.shape[2] - WINDOW + 1
    rows = sum(tap * x[:, i : i + h] for i, tap in enumerate(taps))
    return np.asarray(sum(tap * rows[:, :, i : i + w] for i, tap in enumerate(taps)))


def _halve(x: Doubles) -> Doubles:
    """Mean of 2x2 samples; an odd last row or column is dropped."""
    h, w = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    return np.asarray(x[:, :h, :w].reshape(len(x), h // 2, 2, w // 2, 2).mean(axis=(2, 4)))
