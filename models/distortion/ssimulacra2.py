"""SSIMULACRA 2.1 (libjxl) in a differentiable form: the distortion of a model for the eye.

Two pictures are compared at six scales in the colour space XYB. There are three maps: the loss of
structural similarity, edges that ringing adds, and edges that blur removes. Each map is pooled by
its mean and by its 4-norm.
"""

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

SCALES = 6  # 1:1 to 1:32
LEAST_PATCH = 8 << (SCALES - 1)  # pixels a side; smaller patches lack the coarsest scale
OPSIN = (
    (0.30, 0.622, 0.078),
    (0.23, 0.692, 0.078),
    (0.24342268924547819, 0.20476744424496821, 0.5518098665095536),
)
BIAS = 0.0037930732552754493
C2 = 0.0009
RADIUS, SIGMA = 5, 1.5
# Added under a 4th root, whose slope at 0 is infinite. The root of TINY itself, 1e-5, is subtracted
# again.
TINY = 1e-20
X, Y, B = range(3)  # planes
# Weights of the pooled maps by (plane, scale): the means of similarity loss, ringing and blur, then
# their 4-norms. Maps that are not listed have the weight 0.
# fmt: off
WEIGHTS = {
    (X, 0): (0, 0.00073766067, 0, 0, 0.00077934817, 0),
    (X, 1): (0, 0.00043711557, 0, 1.1041726, 0.00066284834, 0.00015231633),
    (X, 2): (0, 0.0016406437, 0, 1.8422456, 11.441173, 0),
    (X, 3): (0.00079891094, 0.00017681644, 0, 1.8787595, 10.94907, 0),
    (X, 4): (0.0007289347, 0.96779371, 0, 0.00014003424, 0.9981767, 0.00031949756),
    (X, 5): (0.00045509921, 0, 0, 0.0013648766, 0, 0),
    (Y, 0): (0, 0, 0, 7.4668903, 0, 17.445834),
    (Y, 1): (0.00062356016, 0, 0, 6.6836781, 0.00037724408, 1.0278899),
    (Y, 2): (225.20515, 0, 0, 19.213238, 0.0011401525, 0.0012377556),
    (Y, 3): (176.39318, 0, 0, 24.43301, 0.28520803, 0.00044854369),
    (Y, 4): (0, 0, 0, 34.779063, 44.835625, 0),
    (B, 0): (0, 0.00086805566, 0, 0, 0, 0),
    (B, 1): (0, 0.00053131919, 0, 0.00016533814, 0, 0),
    (B, 2): (0, 0, 0, 0.00041791718, 0.0017290828, 0),
    (B, 3): (0.0020827006, 0, 0, 8.8269828, 23.192433, 0),
    (B, 4): (95.10805, 0.9863978, 0.98343828, 0.0012286405, 171.26673, 0.98078589),
    (B, 5): (0, 0, 0, 0.00051300646, 0, 0.00010854058),
}
# fmt: on
WHOLE = 0.9562382616834844  # factor of the weighted sum
CUBIC = (2.326765642916932, -0.020884521182843837, 6.248496625763138e-5)
EXPONENT = 0.6276336467831387
# Maps with a smaller weight change no score by a hundredth. Without them nothing is computed for X
# and B at 1:1, B at 1:2 and 1:4, and all planes at 1:32. That saves a third of training time.
NEGLIGIBLE = 0.01


def score(inner: NDArray[np.float32]) -> NDArray[np.float32]:
    """The published score, at most 100 (equal pictures), for a result of ``inner_value``."""
    return np.asarray(100 - 10 * np.maximum(inner, 0) ** EXPONENT)


def inner_value(
    picture: keras.KerasTensor, decoded: keras.KerasTensor, least: float = 0.0
) -> keras.KerasTensor:
    """The value before the last power of the score: 0 for equal pictures, 12.98 at a score of 50.

    The last power is left out because its slope is infinite at a score of 100. The value is never
    negative, because no weight is. Windows are mirrored at the border, where libjxl has zeros, so
    that pixels at the border have the same weight as others.

    Args:
        picture: the original (B, H, W, 3), sRGB in [0, 1].
        decoded: the decoded picture, likewise; colours outside [0, 1] have no meaning.
        least: maps with a smaller weight are left out.
    Returns: (B,), float32.
    Raises: ValueError when a side is below 256 pixels.
    """
    if min(picture.shape[1:3]) < LEAST_PATCH:
        raise ValueError(f"SSIMULACRA 2 needs patches of {LEAST_PATCH} pixels or more")
    pair = ops.stack([_linear(picture), _linear(decoded)])  # (2, B, H, W, 3)
    planes = [pair[..., i] for i in range(3)]  # (2, B, H, W) each
    total = 0.0
    for scale in range(SCALES):
        if scale:
            planes = [_halved(plane) for plane in planes]
        wanted = {p: w for (p, s), w in WEIGHTS.items() if s == scale and max(w) >= least}
        for plane, values in _positive_xyb(planes, list(wanted)).items():
            maps = _maps(values[0], values[1])
            for i, weight in enumerate(wanted[plane]):
                if weight >= max(least, TINY):
                    total += weight * (_mean(maps[i]) if i < 3 else _norm(maps[i - 3]))
    total = WHOLE * total
    return total * (CUBIC[0] + total * (CUBIC[1] + total * CUBIC[2]))


def _linear(x: keras.KerasTensor) -> keras.KerasTensor:
    """SRGB to linear light."""
    # Dark values are raised first: the power would give them no slope at 0, even if not selected.
    curved = _power((ops.maximum(x, 0.04045) + 0.055) / 1.055, 2.4)
    return ops.where(x <= 0.04045, x / 12.92, curved)


def _power(x: keras.KerasTensor, exponent: float) -> keras.KerasTensor:
    """A power of positive numbers, four times as fast as TensorFlow's own on a CPU."""
    return ops.exp(exponent * ops.log(x))


def _halved(x: keras.KerasTensor) -> keras.KerasTensor:
    """Mean of every 2x2 pixels: (2, B, H, W) -> (2, B, H/2, W/2), sides rounded up.

    An odd last row or column has only itself, as in libjxl.
    """
    if x.shape[2] % 2:
        x = ops.concatenate([x, x[:, :, -1:]], axis=2)
    if x.shape[3] % 2:
        x = ops.concatenate([x, x[..., -1:]], axis=3)
    _, _, h, w = x.shape
    return ops.mean(ops.reshape(x, (2, -1, h // 2, 2, w // 2, 2)), axis=(3, 5))


def _positive_xyb(
    planes: list[keras.KerasTensor], wanted: list[int]
) -> dict[int, keras.KerasTensor]:
    """The ``wanted`` planes of X, Y and B, shifted to be positive, from linear RGB planes."""
    cones = []
    for row in OPSIN:
        mixed = sum(share * plane for share, plane in zip(row, planes, strict=True))
        cones.append(_power(ops.maximum(mixed + BIAS, BIAS / 2), 1 / 3) - BIAS ** (1 / 3))
    long, medium, short = cones
    luma = (long + medium) / 2
    made = {
        X: 14 * (long - medium) / 2 + 0.42,
        Y: luma + 0.01,
        B: short - luma + 0.55,
    }
    return {plane: made[plane] for plane in wanted}


def _maps(x: keras.KerasTensor, y: keras.KerasTensor) -> tuple[keras.KerasTensor, ...]:
    """Maps (B, h, w) of a plane: loss of similarity, ringing, and blur."""
    blurred = _blur(ops.stack([x, y, x * x + y * y, x * y]))
    mean_x, mean_y, squares, products = ops.unstack(blurred, 4)
    structure = 2 * (products - mean_x * mean_y) + C2
    spread = squares - mean_x * mean_x - mean_y * mean_y + C2
    loss = ops.relu(1 - (1 - ops.square(mean_x - mean_y)) * structure / spread)
    edges = (1 + ops.abs(y - mean_y)) / (1 + ops.abs(x - mean_x)) - 1
    return loss, ops.relu(edges), ops.relu(-edges)


def _blur(x: keras.KerasTensor) -> keras.KerasTensor:
    """Gaussian filter over the last two axes, mirrored beyond their ends."""
    # Products with banded matrices, which include the mirroring, are faster on a CPU than depthwise
    # convolutions, above all in the backward pass.
    down, across = (ops.convert_to_tensor(_window(n)) for n in x.shape[-2:])
    return ops.matmul(down, ops.matmul(x, ops.transpose(across)))


def _window(size: int) -> NDArray[np.float32]:
    """The filter as a matrix (size, size), with a row for each position."""
    taps = np.exp(-(np.arange(-RADIUS, RADIUS + 1) ** 2) / (2 * SIGMA**2))
    matrix = np.zeros((size, size))
    for tap, offset in zip(taps / taps.sum(), range(-RADIUS, RADIUS + 1), strict=True):
        at = np.arange(size) + offset
        # Mirrored about the edge of the last pixel, only once: planes have at least 8 pixels.
        at = np.where(at < 0, -1 - at, np.where(at >= size, 2 * size - 1 - at, at))
        np.add.at(matrix, (np.arange(size), at), tap)
    return matrix.astype("float32")


def _mean(x: keras.KerasTensor) -> keras.KerasTensor:
    return ops.mean(x, axis=(1, 2))


def _norm(x: keras.KerasTensor) -> keras.KerasTensor:
    return ops.power(_mean(ops.square(ops.square(x))) + TINY, 0.25) - TINY**0.25
