"""Fitting the map from leading latents to mean colours, from which thumbnails are made."""

from collections.abc import Iterable

import numpy as np

from nic.types import STRIDE, Floats, Pixels, peak

# More channels, or the blocks around, gain little: see "Thumbnails" in models/README.md.
CHANNELS = 3


def fit(samples: Iterable[tuple[Floats, Pixels]], channels: int = CHANNELS) -> Floats:
    """The linear map of least squared error, as ``nic.models.model.Model.thumbnail`` gives it.

    Args:
        samples: dequantized latents (C, h, w) and the picture that they come from, (H, W, 3). A
            picture may come several times, with other latents. Blocks that the picture does not
            fill are left out.
        channels: K, how many leading channels are used.
    Returns: float32 (K + 1, 3).
    """
    squares, products = np.zeros((channels + 1, channels + 1)), np.zeros((channels + 1, 3))
    for latents, pixels in samples:
        colours = block_means(pixels)
        h, w = colours.shape[:2]
        known = latents[:channels, :h, :w].reshape(channels, -1)
        known = np.vstack([known, np.ones((1, h * w))])  # float64
        squares += known @ known.T
        products += known @ colours.reshape(-1, 3)
    return np.linalg.solve(squares, products).astype(np.float32)


def block_means(pixels: Pixels) -> Floats:
    """Mean colours of the whole blocks of 8x8 pixels: (H, W, 3) -> (H // 8, W // 8, 3), 0 to 1."""
    h, w = (side // STRIDE for side in pixels.shape[:2])
    whole = pixels[: h * STRIDE, : w * STRIDE].reshape(h, STRIDE, w, STRIDE, 3)
    return np.asarray(whole.mean(axis=(1, 3)) / peak(pixels), np.float32)
