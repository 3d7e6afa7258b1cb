"""Differentiable prediction of the DC-like latents from their neighbours.

``nic.quantize.prediction`` is the same in integers, for coding.
"""

import keras
from keras import ops


def median_edge(x: keras.KerasTensor) -> keras.KerasTensor:
    """Median edge detector (LOCO-I, JPEG-LS A.4.2): (B, h, w, C) -> predictions (B, h, w, C).

    Values outside the plane count as 0.
    """
    padded = ops.pad(x, [[0, 0], [1, 0], [1, 0], [0, 0]])
    west, north, northwest = padded[:, 1:, :-1], padded[:, :-1, 1:], padded[:, :-1, :-1]
    low, high = ops.minimum(west, north), ops.maximum(west, north)
    # This clip is equal to the three cases of the standard.
    return ops.clip(west + north - northwest, low, high)
