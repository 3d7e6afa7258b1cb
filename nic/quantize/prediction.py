"""Prediction of the DC-like planes from decoded neighbours, in integers only.

The predictor is the median edge detector (LOCO-I; JPEG-LS, ITU-T T.87 A.4.2):
clip(W + N - NW, min(W, N), max(W, N)). Cells outside the plane count as 0.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.int32]  # (P, h, w)


def differences(planes: Planes) -> Planes:
    """Quantized planes (P, h, w) less their predictions; not clipped to a codebook."""
    return planes - _median_edge(planes)


def residuals(planes: Planes, codebook: tuple[int, int]) -> NDArray[np.int8]:
    """Symbols (P, h, w) of quantized planes: differences from the prediction.

    A difference outside the codebook is clipped. Prediction is a closed loop: it starts from the
    values that the decoder will have, so a clipping error does not spread to later cells.
    """
    low, high = codebook
    open_loop = differences(planes)
    if open_loop.size and low <= open_loop.min() and open_loop.max() <= high:
        return open_loop.astype(np.int8)
    coded = _scan(planes, lambda value, expected: np.clip(value - expected, low, high))
    return differences(coded).astype(np.int8)


def reconstruct(symbols: NDArray[np.int8] | Planes) -> Planes:
    """Inverse of ``differences``, and of ``residuals`` where nothing was clipped: (P, h, w)."""
    return _scan(symbols.astype(np.int32), lambda value, _: value)


def _predict(west: Planes, north: Planes, northwest: Planes) -> Planes:
    expected: Planes = west + north
    expected -= northwest
    # np.clip takes twice as long.
    np.maximum(expected, np.minimum(west, north), out=expected)
    return np.minimum(expected, np.maximum(west, north), out=expected)


def _median_edge(planes: Planes) -> Planes:
    padded = np.pad(planes, ((0, 0), (1, 0), (1, 0)))
    return _predict(padded[:, 1:, :-1], padded[:, :-1, 1:], padded[:, :-1, :-1])


def _scan(values: Planes, symbol_of: Callable[[Planes, Planes], Planes]) -> Planes:
    """Visit cells in causal order; return the planes that are their prediction and a symbol.

    The cells of an anti-diagonal depend only on the two diagonals before it. So a whole diagonal
    is one vector operation. Cell (y, x) is at row y + x + 2 and column y + 1 of a skewed array;
    its margins are the zeros outside the plane.

    Args: symbol_of: gives the symbols of some cells from their values and their predictions.
    """
    count, h, w = values.shape
    y, x = np.mgrid[:h, :w]
    skewed = np.zeros((h + w + 1, count, h + 1), np.int32)
    skewed[y + x + 2, :, y + 1] = values.transpose(1, 2, 0)
    for d in range(2, h + w + 1):
        first, last = max(1, d - w), min(h, d - 1)  # columns whose x is inside the plane
        here, before = skewed[d, :, first : last + 1], skewed[d - 1]
        north = slice(first - 1, last)
        expected = _predict(before[:, first : last + 1], before[:, north], skewed[d - 2, :, north])
        np.add(expected, symbol_of(here, expected), out=here)
    return skewed[y + x + 2, :, y + 1].transpose(2, 0, 1)
