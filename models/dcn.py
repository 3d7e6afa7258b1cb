"""The reference family: exactly the codec of Korus & Memon (ICLR 2020), for comparison.

This module has its transforms (after Theis et al., arXiv 1703.00395), its soft codebook quantizer,
its entropy loss on a soft histogram, and the model that trains them. The number of latent channels
decides the quality: dcn-4k, dcn-8k and dcn-16k have 16, 32 and 64. The names give the number of
latent values for 128x128 pixels.
"""

import keras
import numpy as np
from keras import layers, ops

from nic.types import CODEBOOK, STRIDE

SLOPE = 0.2  # negative slope of every leaky ReLU
WIDTH = 128  # channels of the residual blocks, at a quarter of the picture's resolution
BLOCKS = 3
RGB = 3
FREEDOM = 50.0  # degrees of freedom of the Student-t kernel around a codeword
GAMMA = 25.0  # sharpness of the kernel; 5 is the smoother choice
BATCH_VALUES = 50 * 128 * 128 * RGB  # samples of the batch that the loss is defined for
RATE_WEIGHT = 250.0  # weight of the entropy, against half the sum of squared errors of that batch
SMALLEST = 1e-30  # least probability in a logarithm, above float32's denormals


def analysis(latents: int) -> keras.Model:
    """The analysis transform: pictures (B, H, W, 3) in [0, 1] -> latents (B, H/8, W/8, D).

    H and W must be multiples of 8. The last layer scales the latents for the quantizer, whose
    codebook is fixed.
    """
    picture = keras.Input((None, None, RGB), name="picture")
    x = layers.Rescaling(2.0, offset=-1.0, name="centre")(picture)  # (B, H, W, 3)
    x = _convolution(x, 64, 5, "half", strides=2)  # (B, H/2, W/2, 64)
    x = _leaky(x, "half_leaky")
    x = _convolution(x, WIDTH, 5, "quarter", strides=2)  # (B, H/4, W/4, 128)
    for i in range(BLOCKS):
        # The skip of the first block takes the tensor before any activation.
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
    """The lambda for which lambda * 255^2 * MSE + bpp is a multiple of the training loss."""
    return BATCH_VALUES / 2 / (RATE_WEIGHT * STRIDE**2 / latents) / 255**2


def macs_per_pixel(model: keras.Model) -> float:
    """Multiply-accumulates per picture pixel of a transform built by this module."""
    # How many pixels a side one value of a convolution's output stands for, by the layer's name.
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
    """The branch of a residual block: two 3x3 convolutions, the second one linear."""
    x = _leaky(_convolution(x, WIDTH, 3, f"{name}_first"), f"{name}_leaky")
    return _convolution(x, WIDTH, 3, f"{name}_second")


class Scale(layers.Layer):
    """Multiplies by one trainable scalar, initially 1."""

    def build(self, _: tuple[int | None, ...]) -> None:
        """Create the scalar."""
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Any shape -> the same shape."""
        return x * self.scale


class Clip(layers.Layer):
    """Clips to [0, 1]; the gradient passes as if nothing were clipped."""

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Any shape -> the same shape."""
        return straight_through(ops.clip(x, 0.0, 1.0), x)


def straight_through(value: keras.KerasTensor, path: keras.KerasTensor) -> keras.KerasTensor:
    """Exactly ``value``, with the gradient of ``path``, which must be finite."""
    # path + (value - path) would round; here exactly 0 is added.
    return ops.stop_gradient(value) + (path - ops.stop_gradient(path))


class SoftCodebook(layers.Layer):
    """The quantizer for training: nearest codeword forward, weighted mean backward.

    A codeword c has the weight (1 + (gamma (x - c))^2 / v)^(-(v + 1) / 2) for a latent x, a
    Student-t kernel of v = 50 degrees of freedom; weights are normalised over the codebook.
    """

    def __init__(self, gamma: float = GAMMA) -> None:
        # With gamma 25 a codeword at distance 16 has the weight 1e-89. Only its logarithm fits into
        # float32, and not even that into the float16 of mixed precision.
        super().__init__(name="quantizer", dtype="float32")
        self.gamma = gamma
        self.codebook = np.arange(CODEBOOK[0], CODEBOOK[1] + 1, dtype="float32")  # (K,)

    def call(self, latents: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Latents of any shape -> symbols of the same shape, and weights (..., K)."""
        codebook = ops.convert_to_tensor(self.codebook)
        distance = self.gamma * (latents[..., None] - codebook)
        logits = -(FREEDOM + 1) / 2 * ops.log1p(ops.square(distance) / FREEDOM)
        weights = ops.softmax(logits, axis=-1)
        hard = ops.take(codebook, ops.argmax(logits, axis=-1))
        soft = ops.sum(weights * codebook, axis=-1)
        return straight_through(hard, soft), weights


def entropy(weights: keras.KerasTensor) -> keras.KerasTensor:
    """Entropy of the soft histogram, in bits per symbol.

    The histogram is the mean of the weights (..., K) of all symbols.
    """
    codewords = ops.shape(weights)[-1]
    histogram = ops.mean(ops.reshape(weights, (-1, codewords)), axis=0)
    # A codeword far from all latents counts as 0 log 0 = 0, in the gradient too.
    return -ops.sum(histogram * ops.log(ops.maximum(histogram, SMALLEST))) / np.log(2)


class SoftRateDistortion(keras.Model):
    """Both transforms and the quantizer; maps a batch to its rate and distortion.

    Compile it with its ``objective`` as the loss. The reference trained with Adam at a learning
    rate of 1e-4, halved every 1000 epochs.
    """

    def __init__(self, latents: int, gamma: float = GAMMA) -> None:
        super().__init__(name=f"dcn_{latents}", dtype="float32")
        self.latents = latents
        self.analysis = analysis(latents)
        self.synthesis = synthesis(latents)
        self.quantizer = SoftCodebook(gamma)

    def call(self, picture: keras.KerasTensor) -> keras.KerasTensor:
        """Rate and distortion of pictures (B, H, W, 3) in [0, 1].

        Returns: (B, 2): bits per pixel, and mean squared error of [0, 1] pixels. The bits are the
            same for all pictures, as the batch has one histogram.
        """
        symbols, weights = self.quantizer(self.analysis(picture))
        error = ops.cast(self.synthesis(symbols) - picture, "float32")
        mse = ops.mean(ops.square(error), axis=(1, 2, 3))
        bpp = entropy(weights) * (self.latents / STRIDE**2)
        return ops.stack([ops.ones_like(mse) * bpp, mse], axis=-1)

    def start_from(self, other: "SoftRateDistortion") -> None:
        """Copy the weights of ``other``, which may have more latent channels, in place."""
        for own, theirs in zip(self.variables, other.variables, strict=True):
            value = np.array(ops.convert_to_numpy(theirs))
            own.assign(value[tuple(slice(n) for n in own.shape)])

    def objective(
        self, _: keras.KerasTensor, rate_distortion: keras.KerasTensor
    ) -> keras.KerasTensor:
        """Half the sum of squared errors + 250 times the entropy, for 50 patches of 128x128.

        For another number of pixels, the sum is scaled to the number of these patches.
        """
        bits = ops.mean(rate_distortion[:, 0]) * (STRIDE**2 / self.latents)  # per symbol
        return BATCH_VALUES / 2 * ops.mean(rate_distortion[:, 1]) + RATE_WEIGHT * bits
