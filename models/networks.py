"""The default analysis and synthesis transforms, and their initialisation as an 8x8 DCT."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from nic.models.config import TransformConfig
from nic.types import STRIDE

QUARTER = 4  # depth-to-space factor from latent to half resolution
HALF = 2  # depth-to-space factor from half to full resolution
RGB = 3
FULL = "float32"  # full precision


class Depthwise(layers.DepthwiseConv2D):
    """A 3x3 depthwise convolution; on JAX a sum of shifted products.

    JAX's compiler turns the sum into one pass over memory. With a grouped convolution, training of
    a tiny network on a CPU took 1.5 times as long.
    """

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """(B, h, w, D) -> the same shape."""
        if keras.backend.backend() != "jax":
            return super().call(x)
        h, w = x.shape[1:3]
        padded = ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        total = self.bias
        for i in range(3):
            for j in range(3):
                total = total + padded[:, i : i + h, j : j + w] * self.kernel[i, j, :, 0]
        return total


class Pointwise(layers.Conv2D):
    """A 1x1 convolution; on JAX a matrix product, which is 4 % faster in training on a GPU."""

    def __init__(self, filters: int, **options: Any) -> None:
        super().__init__(filters, 1, **options)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """(B, h, w, D) -> (B, h, w, ``filters``)."""
        if keras.backend.backend() != "jax":
            return super().call(x)
        return self.activation(ops.matmul(x, self.kernel[0, 0]) + self.bias)


def _block(x: keras.KerasTensor, width: int, expansion: int, name: str) -> keras.KerasTensor:
    """A block near the identity: depthwise 3x3, pointwise with ReLU, pointwise, skip.

    Only the branch has the precision that Keras is set to. The sums along the skips are always
    float32, because a latent of 200 quantizer steps must be exact to a fraction of one step.
    """
    near_zero = keras.initializers.VarianceScaling(0.02)
    y = Depthwise(3, padding="same", name=f"{name}_depthwise", dtype=FULL)(x)
    y = Pointwise(width * expansion, activation="relu", name=f"{name}_expand")(y)
    y = Pointwise(width, kernel_initializer=near_zero, name=f"{name}_project")(y)
    return layers.Add(name=f"{name}_skip", dtype=FULL)([x, y])


def analysis(config: TransformConfig) -> keras.Model:
    """The analysis transform: pictures (B, H, W, 3) in [0, 1] -> latents (B, H/8, W/8, C).

    H and W must be multiples of 8. The quantizer multiplies the latents by the gain.
    """
    picture = keras.Input((None, None, RGB), name="picture")
    x = layers.Rescaling(1.0, offset=-0.5, name="centre", dtype=FULL)(picture)  # (B, H, W, 3)
    x = layers.Conv2D(config.width, STRIDE, strides=STRIDE, name="patches", dtype=FULL)(
        x
    )  # (B, h, w, D)
    for i in range(config.analysis_blocks):
        x = _block(x, config.width, config.expansion, f"block{i}")
    latents = layers.Conv2D(config.latents, 1, name="latents", dtype=FULL)(x)  # (B, h, w, C)
    return keras.Model(picture, latents, name="analysis")


def synthesis(config: TransformConfig) -> keras.Model:
    """The synthesis transform: latents (B, h, w, C) -> pictures (B, 8h, 8w, 3), not clipped."""
    half = config.half_width
    latents = keras.Input((None, None, config.latents), name="latents")
    x = layers.Conv2D(config.width, 1, name="embed", dtype=FULL)(latents)  # (B, h, w, D)
    for i in range(config.synthesis_blocks):
        x = _block(x, config.width, config.expansion, f"block{i}")
    x = layers.Conv2D(half * QUARTER**2, 1, name="patches", dtype=FULL)(x)
    x = ops.depth_to_space(x, QUARTER)  # (B, 4h, 4w, half)
    for i in range(config.half_blocks):
        x = _block(x, half, config.expansion, f"half_block{i}")
    x = layers.Conv2D(RGB * HALF**2, 3, padding="same", name="pixels", dtype=FULL)(x)
    x = ops.depth_to_space(x, HALF)  # (B, 8h, 8w, 3)
    picture = layers.Rescaling(1.0, offset=0.5, name="uncentre", dtype=FULL)(x)
    return keras.Model(latents, picture, name="synthesis")


def macs_per_pixel(model: keras.Model) -> float:
    """Multiply-accumulates per picture pixel of a transform built by this module."""
    resolution = {"half": 1 / HALF**2, "pixels": 1 / HALF**2}
    total = 0.0
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            share = resolution.get(layer.name.split("_")[0], 1 / STRIDE**2)
            total += share * float(np.prod(layer.kernel.shape))
    return total


def dct_filters() -> NDArray[np.float64]:
    """The 192 orthonormal 8x8 DCT-II filters over an orthonormal luma/chroma basis.

    Returns: float64 (192, 8, 8, 3). Filter 64k + 8u + v has colour k (luma first), vertical
        frequency u and horizontal frequency v.
    """
    n = np.arange(STRIDE)
    cosines = np.sqrt(2 / STRIDE) * np.cos(np.pi * np.outer(n, 2 * n + 1) / (2 * STRIDE))
    cosines[0] /= np.sqrt(2)
    colours = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]], float)
    colours /= np.linalg.norm(colours, axis=1, keepdims=True)
    basis = np.einsum("uy,vx,kc->kuvyxc", cosines, cosines, colours)
    return np.asarray(basis.reshape(-1, STRIDE, STRIDE, RGB))


def dct_order(patches: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sort the DCT filters by variance on training patches, the three DC filters first.

    Args: patches: uint8 (B, H, W, 3), sides multiples of 8.
    Returns: the filters (192, 8, 8, 3), and the standard deviations (192,) of their coefficients
        for [0, 1] pixels.
    """
    filters = dct_filters()
    b, h, w, _ = patches.shape
    tiles = patches.reshape(b, h // STRIDE, STRIDE, w // STRIDE, STRIDE, RGB)
    flat = tiles.transpose(0, 1, 3, 2, 4, 5).reshape(-1, STRIDE * STRIDE * RGB) / 255.0 - 0.5
    deviation = (flat @ filters.reshape(len(filters), -1).T).std(axis=0)
    rank = -deviation
    rank[:: STRIDE * STRIDE] = -np.inf
    order = np.argsort(rank, kind="stable")
    return filters[order], deviation[order]


def start_as_dct(encoder: keras.Model, decoder: keras.Model, filters: NDArray[np.float64]) -> None:
    """Set both transforms, in place, to the DCT of ``filters`` and its inverse.

    Only the linear path is set; the residual blocks already start near zero. The inverse path
    uses half of the channels at half resolution. The other half keep their random start, scaled
    down so that they do not disturb the picture.
    """
    width = encoder.get_layer("patches").kernel.shape[-1]
    latents = encoder.get_layer("latents").kernel.shape[-1]
    encoder.get_layer("patches").kernel.assign(filters[:width].transpose(1, 2, 3, 0))
    select = np.eye(width, latents)
    encoder.get_layer("latents").kernel.assign(select[None, None])
    decoder.get_layer("embed").kernel.assign(select.T[None, None])
    patches = decoder.get_layer("patches").kernel  # (1, 1, D, 16 * half)
    pixels = decoder.get_layer("pixels").kernel  # (3, 3, half, 12)
    used = RGB * HALF**2
    half = pixels.shape[2]
    # An 8x8x3 filter as 4x4 positions at half resolution, each with (2, 2, 3) = 12 values: the
    # order in which the two depth-to-space steps take them.
    split = filters[:width].reshape(width, QUARTER, HALF, QUARTER, HALF, RGB)
    split = split.transpose(0, 1, 3, 2, 4, 5).reshape(width, QUARTER**2, used)
    inverse = 0.1 * ops.convert_to_numpy(patches).reshape(width, QUARTER**2, half)
    inverse[:, :, :used] = split
    patches.assign(inverse.reshape(patches.shape))
    centre = 0.1 * ops.convert_to_numpy(pixels)
    centre[:, :, :used] = 0
    centre[1, 1, :used] = np.eye(used)
    pixels.assign(centre)
