"""The reference family: the codec of Korus & Memon (ICLR 2020), exactly, to measure against.

Its transform (after Theis et al., arXiv 1703.00395), its soft codebook quantizer, its entropy
loss on a soft histogram, and the model that trains them. Quality is the number of latent
channels: dcn-4k, dcn-8k and dcn-16k have 16, 32 and 64, and are named for the number of latent
values of 128x128 pixels.
"""

import keras
import numpy as np
from keras import layers, ops

from nic.types import CODEBOOK, STRIDE

SLOPE = 0.2  # of every leaky ReLU
WIDTH = 128  # channels of the residual blocks, at a quarter of the picture's resolution
BLOCKS = 3
RGB = 3
FREEDOM = 50.0  # of the Student-t kernel around a codeword
GAMMA = 25.0  # its sharpness; 5 is the smoother choice
BATCH_VALUES = 50 * 128 * 128 * RGB  # pixel values of the batch that the loss is defined for
RATE_WEIGHT = 250.0  # of the entropy, against half of that batch's sum of squared errors
SMALLEST = 1e-30  # probability at which the logarithm stops, above float32's denormals


def analysis(latents: int) -> keras.Model:
    """The analysis transform: pictures (B, H, W, 3) in [0, 1] -> latents (B, H/8, W/8, D).

    H and W must be multiples of 8. Latents are what the quantizer takes: their one scale, to
    which the codebook is fixed, is the last layer.
    """
    picture = keras.Input((None, None, RGB), name="picture")
    x = layers.Rescaling(2.0, offset=-1.0, name="centre")(picture)  # (B, H, W, 3)
    x = _convolution(x, 64, 5, "half", strides=2)  # (B, H/2, W/2, 64)
    x = _leaky(x, "half_leaky")
    x = _convolution(x, WIDTH, 5, "quarter", strides=2)  # (B, H/4, W/4, 128)
    for i in range(BLOCKS):
        # The skip of the first block takes the tensor as it is, before any activation.
        branch = _leaky(x, "block0_enter") if i == 0 else x
        x = layers.Add(name=f"block{i}_skip")([x, _branch(branch, f"block{i}")])
    x = _convolution(x, latents, 5, "latents", strides=2)  # (B, H/8, W/8, D)
    return keras.Model(picture, Scale(name="scale")(x), name="analysis")


def synthesis(latents: int) -> keras.Model:
    """The synthesis transform: latents (B, h, w, D) -> pictures (B, 8h, 8w, 3) in [0, 1]."""
    symbols = keras.Input((None, None, latents), name="latents")
    x = _convolution(symbols, 4 * WIDTH, 3, "embed")  # (B, h, w, 512)
    x = ops.depth_to_space(x, 2)  # (B, 2h, 2w, 128)
    for i in range(BLOCKS):
        x = layers.Add(name=f"block{i}_skip")([x, _branch(x, f"block{i}")])
    x = _leaky(_convolution(x, 2 * WIDTH, 3, "half"), "half_leaky")  # (B, 2h, 2w, 256)
    x = ops.depth_to_space(x, 2)  # (B, 4h, 4w, 64)
    x = _convolution(x, 4 * RGB, 3, "pixels")
    x = ops.depth_to_space(x, 2)  # (B, 8h, 8w, 3)
    x = layers.Rescaling(0.5, offset=0.5, name="uncentre")(x)
    return keras.Model(symbols, Clip(name="clip")(x), name="synthesis")


def tradeoff(latents: int) -> float:
    """Lambda at which lambda * 255^2 * MSE + bpp is ``SoftRateDistortion.objective``, scaled."""
    return BATCH_VALUES / 2 / (RATE_WEIGHT * STRIDE**2 / latents) / 255**2


def macs_per_pixel(model: keras.Model) -> float:
    """Multiply-accumulates per picture pixel of a transform built by this module."""
    # Pixels a side of what each convolution gives, by its name in either transform.
    given = {"latents": STRIDE, "embed": STRIDE, "quarter": 4, "pixels": 2}
    given["half"] = 2 if model.name == "analysis" else 4
    total = 0.0
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            side = given.get(layer.name, 4)  # blocks are at a quarter of the resolution
            total += float(np.prod(layer.kernel.shape)) / side**2
    return total


def _convolution(
    x: keras.KerasTensor, filters: int, size: int, name: str, strides: int = 1
) -> keras.KerasTensor:
    return layers.Conv2D(filters, size, strides=strides, padding="same", name=name)(x)


def _leaky(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.LeakyReLU(negative_slope=SLOPE, name=name)(x)


def _branch(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """What a residual block adds: two 3x3 convolutions, the second one linear."""
    x = _leaky(_convolution(x, WIDTH, 3, f"{name}_first"), f"{name}_leaky")
    return _convolution(x, WIDTH, 3, f"{name}_second")


class Scale(layers.Layer):
    """Multiplies by one trainable scalar, initially 1."""

    def build(self, _: tuple[int | None, ...]) -> None:
        """Make the scalar."""
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Any shape -> the same shape."""
        return x * self.scale


class Clip(layers.Layer):
    """Clips to [0, 1]; the gradient passes as if it did not."""

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Any shape -> the same shape."""
        return straight_through(ops.clip(x, 0.0, 1.0), x)


def straight_through(value: keras.KerasTensor, path: keras.KerasTensor) -> keras.KerasTensor:
    """``value`` to the last bit (``path`` must be finite), with the gradient of ``path``."""
    # path + (value - path) would round; here what is added is exactly 0.
    return ops.stop_gradient(value) + (path - ops.stop_gradient(path))


class SoftCodebook(layers.Layer):
    """The quantizer of training: nearest codeword forward, weighted mean backward.

    A codeword c has the weight (1 + (gamma (x - c))^2 / v)^(-(v + 1) / 2) for a latent x, a
    Student-t kernel of v = 50 degrees of freedom; weights are normalised over the codebook.
    """

    def __init__(self, gamma: float = GAMMA) -> None:
        # With gamma 25 a codeword 16 away weighs 1e-89: only its logarithm fits into float32,
        # and none of it into the float16 of mixed precision.
        super().__init__(name="quantizer", dtype="float32")
        self.gamma = gamma
        self.codebook = np.arange(CODEBOOK[0], CODEBOOK[1] + 1, dtype="float32")  # (K,)

    def call(self, latents: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Latents of any shape -> symbols of that shape, and weights (..., K)."""
        codebook = ops.convert_to_tensor(self.codebook)
        distance = self.gamma * (latents[..., None] - codebook)
        logits = -(FREEDOM + 1) / 2 * ops.log1p(ops.square(distance) / FREEDOM)
        weights = ops.softmax(logits, axis=-1)
        hard = ops.take(codebook, ops.argmax(logits, axis=-1))
        soft = ops.sum(weights * codebook, axis=-1)
        return straight_through(hard, soft), weights


def entropy(weights: keras.KerasTensor) -> keras.KerasTensor:
    """Bits per symbol of the soft histogram: the mean of the weights (..., K) of all symbols."""
    codewords = ops.shape(weights)[-1]
    histogram = ops.mean(ops.reshape(weights, (-1, codewords)), axis=0)
    # A codeword that no latent is near counts as 0 log 0 = 0, gradient included.
    return -ops.sum(histogram * ops.log(ops.maximum(histogram, SMALLEST))) / np.log(2)


class SoftRateDistortion(keras.Model):
    """Both transforms and the quantizer; maps a batch to its rate and distortion.

    Compile with its ``objective`` as the loss and Adam at 1e-4, halved every 1000 epochs.
    """

    def __init__(self, latents: int, gamma: float = GAMMA) -> None:
        super().__init__(name=f"dcn_{latents}", dtype="float32")
        self.latents = latents
        self.analysis = analysis(latents)
        self.synthesis = synthesis(latents)
        self.quantizer = SoftCodebook(gamma)

    def call(self, picture: keras.KerasTensor) -> keras.KerasTensor:
        """Rate and distortion of pictures (B, H, W, 3) in [0, 1].

        Returns: (B, 2): bits per pixel, the same for all, as the whole batch has one histogram;
            and mean squared error of [0, 1] pixels.
        """
        symbols, weights = self.quantizer(self.analysis(picture))
        error = ops.cast(self.synthesis(symbols) - picture, "float32")
        mse = ops.mean(ops.square(error), axis=(1, 2, 3))
        bpp = entropy(weights) * (self.latents / STRIDE**2)
        return ops.stack([ops.ones_like(mse) * bpp, mse], axis=-1)

    def objective(
        self, _: keras.KerasTensor, rate_distortion: keras.KerasTensor
    ) -> keras.KerasTensor:
        """Half the sum of squared errors + 250 entropies, for 50 patches of 128x128 pixels.

        With fewer or more pixels, the sum is what their mean would give over that many.
        """
        bits = ops.mean(rate_distortion[:, 0]) * (STRIDE**2 / self.latents)  # per symbol
        return BATCH_VALUES / 2 * ops.mean(rate_distortion[:, 1]) + RATE_WEIGHT * bits
