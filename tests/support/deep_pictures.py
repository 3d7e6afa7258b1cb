"""Samples of 16 bits from which tests make pictures."""

import numpy as np

H, W = 20, 28
RNG = np.random.default_rng(5)
RGB = RNG.integers(0, 65536, (H, W, 3)).astype(np.uint16)
GREY = np.ascontiguousarray(RGB[..., 1])
ALPHA = RNG.integers(0, 65536, (H, W)).astype(np.uint16)
ALPHA[:3] = [[0], [65535], [1]]
COLOURS = {"grey": GREY, "rgb": RGB}
TRANSPARENCY = {"opaque": None, "alpha": ALPHA}


def ramp(levels=16384, rows=64):
    """A diagonal ramp of so many equally distant levels, with steps of a few samples."""
    y, x = np.mgrid[:rows, : levels // 16]
    at = (x * 16 + y * 16 // rows) * 65535 / (levels - 1)
    return np.rint(at).astype(np.uint16)
