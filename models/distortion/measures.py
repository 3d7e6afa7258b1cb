"""Differentiable distortions of training patches: squared error, MS-SSIM, SSIMULACRA 2."""

import keras
import numpy as np
from keras import ops

from nic.models.distortion import ssimulacra2

# Window and exponents as in nic.picture.metrics (Wang, Simoncelli and Bovik, Asilomar 2003).
WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
LEAST_PATCH = WINDOW << (len(SCALE_WEIGHTS) - 1)  # pixels
# 1 - MS-SSIM times this is used in place of the squared error of [0, 1] pixels. In the literature a
# network trained with lambda * 255^2 * MSE + bpp is compared with a network trained with
# lambda' * (1 - MS-SSIM) + bpp, where lambda' is about 1270 lambda (2.4 for .0018, 31.73 for .025).
EQUIVALENT_ERROR = 1270 / 255**2
# For a network trained for squared error, the inner value of SSIMULACRA 2 is proportional to this
# error at all rates. Times this factor it can replace squared error, with the same lambdas.
INNER_ERROR = 4e-5
# Shares of squared error and of MS-SSIM in "visual"; the rest is SSIMULACRA 2. They keep properties
# that this metric does not see: the mean colour of large areas, and chroma at full resolution.
PLAIN_SHARE, SIMILARITY_SHARE = 0.2, 0.1


def squared_error(picture: keras.KerasTensor, decoded: keras.KerasTensor) -> keras.KerasTensor:
    """Mean squared error of each patch (B,), from (B, H, W, 3) pixels in [0, 1]."""
    return ops.mean(ops.square(decoded - picture), axis=(1, 2, 3))


def dissimilarity(picture: keras.KerasTensor, decoded: keras.KerasTensor) -> keras.KerasTensor:
    """1 - MS-SSIM of each patch (B,), in units of squared error.

    Raises: ValueError when a side is below 176 pixels, as the coarsest scale needs one window.
    """
    if min(picture.shape[1:3]) < LEAST_PATCH:
        raise ValueError(f"MS-SSIM needs patches of {LEAST_PATCH} pixels or more")
    product = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            picture, decoded = (ops.average_pool(x, 2, 2) for x in (picture, decoded))
        whole, contrast = _similarity(picture, decoded)
        last = scale == len(SCALE_WEIGHTS) - 1
        # A floor above zero, where the slope of the power is infinite. Trained networks stay far
        # above it.
        product *= ops.maximum(whole if last else contrast, 1e-3) ** weight
    return EQUIVALENT_ERROR * (1 - ops.mean(product, axis=-1))


def visual(picture: keras.KerasTensor, decoded: keras.KerasTensor) -> keras.KerasTensor:
    """SSIMULACRA 2, squared error and MS-SSIM of each patch (B,), in units of squared error.

    Decoded pixels are first clipped to [0, 1], as in a file. The gradient is straight-through: a
    clipped pixel gets the gradient of the value at the border.

    Raises: ValueError when a side is below 256 pixels.
    """
    decoded = decoded + ops.stop_gradient(ops.clip(decoded, 0, 1) - decoded)
    inner = ssimulacra2.inner_value(picture, decoded, ssimulacra2.NEGLIGIBLE)
    error, dissimilar = squared_error(picture, decoded), dissimilarity(picture, decoded)
    seen = (1 - PLAIN_SHARE - SIMILARITY_SHARE) * INNER_ERROR * inner
    return seen + PLAIN_SHARE * error + SIMILARITY_SHARE * dissimilar


def _similarity(
    x: keras.KerasTensor, y: keras.KerasTensor
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Mean SSIM and mean contrast-structure factor of each colour plane, (B, 3) each."""
    every = _blur(ops.concatenate([x, y, x * x + y * y, x * y], axis=-1))
    mean_x, mean_y, squares, products = ops.split(every, 4, axis=-1)
    product = mean_x * mean_y
    square = mean_x * mean_x + mean_y * mean_y
    contrast = (2 * (products - product) + C2) / (squares - square + C2)
    whole = (2 * product + C1) / (square + C1) * contrast
    return ops.mean(whole, axis=(1, 2)), ops.mean(contrast, axis=(1, 2))


def _blur(x: keras.KerasTensor) -> keras.KerasTensor:
    """Separable Gaussian filter of (B, H, W, D), mirrored beyond the border."""
    taps = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
    taps = (taps / taps.sum()).astype("float32")
    depth = x.shape[-1]
    # In nic.picture.metrics windows end at the border, as in the literature. So pixels at the
    # border have a hundredth of the weight of others, and a network trained so neglects them.
    border = [WINDOW // 2] * 2
    x = ops.pad(x, [[0, 0], border, border, [0, 0]], mode="reflect")
    down = np.tile(taps[:, None, None, None], (1, 1, depth, 1))
    across = np.tile(taps[None, :, None, None], (1, 1, depth, 1))
    x = ops.depthwise_conv(x, ops.convert_to_tensor(down), padding="valid")
    return ops.depthwise_conv(x, ops.convert_to_tensor(across), padding="valid")


MEASURES = {"mse": squared_error, "ms-ssim": dissimilarity, "visual": visual}
# Pixels a side of the smallest picture that a measure takes.
LEAST_SIDES = {"mse": 1, "ms-ssim": LEAST_PATCH, "visual": ssimulacra2.LEAST_PATCH}
