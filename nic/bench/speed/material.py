"""Pictures of any size for timing: cut from given pictures, or made."""

import numpy as np
from numpy.typing import NDArray

from nic.types import Pixels

SEED = 1
CONTRAST = 36.0  # standard deviation of the luma of a made picture
COLOUR = 0.2  # standard deviation of its chroma, relative to the luma
FALL = 1.2  # amplitudes fall with frequency as f^-FALL


def cut(pixels: Pixels, width: int, height: int) -> Pixels:
    """The central part of a picture (H, W, 3); a picture that is too small is mirrored."""
    rows, columns = max(0, height - pixels.shape[0]), max(0, width - pixels.shape[1])
    margins = ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0))
    large = np.pad(pixels, margins, mode="symmetric")
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    return np.ascontiguousarray(large[top : top + height, left : left + width])


def made(width: int, height: int) -> Pixels:
    """A picture (height, width, 3) with the spectrum of photographs, the same every time.

    Amplitudes of photographs fall with frequency as f^-0.7 to f^-1.5 (Tolhurst, Tadmor and
    Chao, Ophthalmic Physiol. Opt. 12, 1992). Photographs have flat parts, which take few bits, and
    noise has none. So a steeper fall is chosen, which gives about the bits of photographs.
    """
    rng = np.random.default_rng(SEED)
    luma = _noise(rng, width, height)
    planes = [luma + COLOUR * _noise(rng, width, height) for _ in range(3)]
    return np.asarray(np.clip(128 + CONTRAST * np.stack(planes, axis=2), 0, 255), np.uint8)


def _noise(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    """Noise (height, width) with this spectrum, mean 0 and standard deviation 1."""
    spectrum = np.fft.rfft2(rng.standard_normal((height, width)))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = np.inf  # makes the mean 0
    noise = np.fft.irfft2(spectrum / frequency**FALL, s=(height, width))
    return np.asarray(noise / noise.std())
