"""Prediction of the DC-like latents from their neighbours, differentiable.

What codes them, in integers, is ``nic.quantize.prediction``.
"""

import keras
from keras import ops


def median_edge(x: keras.KerasTensor) -> keras.KerasTensor:
    """Median edge detector (LOCO-I, JPEG-LS A.4.2): (B, h, w, C) -> its prediction.

    Outside the plane counts as 0, which makes the first row predict from W and the first
    column from N.
    """
    padded = ops.pad(x, [[0, 0], [1, 0], [1, 0], [0, 0]])
    west, north, northwest = padded[:, 1:, :-1], padded[:, :-1, 1:], padded[:, :-1, :-1]
    low, high = ops.minimum(west, north), ops.maximum(west, north)
    # clip(W + N - NW, low, high) is the three-way case distinction in one expression.
    return ops.clip(west + north - northwest, low, high)
