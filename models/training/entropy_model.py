"""The entropy model of the latents with its classes, in the differentiable form for training.

Every block of latents gets the class with the shortest code. In a class, every channel has a
zero-mean mixture of logistics ("a spike and tails"). Files are coded with integer tables, which
``nic.models.training.fitting`` makes later; so entropy coding runs no network.
"""

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from nic.models.config import RateConfig

# To choose a class, code lengths are tabulated by bins of the magnitude. THRESHOLDS separate the
# bins; a symbol costs as much as the middle of its bin.
THRESHOLDS = (1, 2, 3, 4, 6, 8, 12)
MIDDLES = (0.0, 1.0, 2.0, 3.0, 4.5, 6.5, 9.5, 14.0)
SPEED = 10.0  # how many times faster than weights the parameters of this model are trained
FLOOR = 1e-9  # least probability; so an outlier costs at most 30 bits


class EntropyModel(keras.layers.Layer):
    """Code length of latents with the best class for each block.

    ``deviation`` (L, C) is the expected standard deviation of every channel, times its gain, at
    every rate point. The scales of the classes start as multiples of it.
    """

    def __init__(self, config: RateConfig, deviation: NDArray[np.float64]) -> None:
        super().__init__(name="entropy_model", dtype="float32")
        self.config = config
        levels, channels = deviation.shape
        spread = np.linspace(-3.0, 1.2, config.classes)[:, None, None]
        parts = np.linspace(-0.7, 0.7, config.mixture)
        scale = spread + np.zeros((1, channels, 1)) + parts
        self.scale = self._parameter(scale, "scale")  # log scale (K, C, M)
        self.weight = self._parameter(np.zeros_like(scale), "weight")  # logits (K, C, M)
        self.level = self._parameter(np.log(deviation * 0.55), "level")  # log scale (L, C)
        self.frequency = self._parameter(np.zeros((levels, config.classes)), "frequency")

    def _parameter(self, value: NDArray[np.float64], name: str) -> keras.Variable:
        start = keras.initializers.Constant(value / SPEED)
        return self.add_weight(shape=value.shape, initializer=start, name=name)

    def call(
        self,
        noisy: keras.KerasTensor,
        symbols: keras.KerasTensor,
        level: keras.KerasTensor,
        mask: keras.KerasTensor,
    ) -> keras.KerasTensor:
        """Bits of each picture, class indices included.

        Args:
            noisy: (B, h, w, C), latents with uniform noise, whose code length is returned.
            symbols: (B, h, w, C), rounded latents, which decide the classes.
            level: (B, L), weights of the rate points.
            mask: (B, C), 1 for channels that are coded, else 0.
        Returns: (B,), bits.
        """
        k, c, m = self.scale.shape
        offset = ops.matmul(level, self.level * SPEED)[:, None, :, None]  # (B, 1, C, 1)
        log_scale = self.scale * SPEED + offset  # (B, K, C, M)
        log_weight = ops.broadcast_to(
            ops.log_softmax(self.weight * SPEED, axis=-1), ops.shape(log_scale)
        )
        index_bits = -ops.log_softmax(ops.matmul(level, self.frequency * SPEED)) / np.log(2)

        middles = np.reshape(np.asarray(MIDDLES, "float32"), (1, 1, 1, -1, 1))
        table = _bits(middles, log_scale[:, :, :, None], log_weight[:, :, :, None])
        chosen = self._choose(symbols, table * mask[:, None, :, None], index_bits)  # (B, N, K)

        both = ops.concatenate([log_scale, log_weight], axis=-1)
        both = ops.matmul(chosen, ops.reshape(both, (-1, k, c * 2 * m)))
        both = ops.reshape(both, (-1, ops.shape(chosen)[1], 1, c, 2 * m))  # (B, N, 1, C, 2M)
        values = self._blocks(noisy)[..., None]  # (B, N, s*s, C, 1)
        bits = _bits(values, both[..., :m], both[..., m:]) * mask[:, None, None, :]
        index = ops.sum(chosen * index_bits[:, None], axis=(1, 2))
        return ops.sum(bits, axis=(1, 2, 3)) + index

    def _blocks(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Split into N blocks of s x s latents: (B, h, w, C) -> (B, N, s*s, C)."""
        s = self.config.class_block
        _, h, w, c = ops.shape(x)
        x = ops.reshape(x, (-1, h // s, s, w // s, s, c))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, h * w // (s * s), s * s, c))

    def _choose(
        self,
        symbols: keras.KerasTensor,
        table: keras.KerasTensor,
        index_bits: keras.KerasTensor,
    ) -> keras.KerasTensor:
        """The class with the shortest code of every block, one-hot (B, N, K); no gradient."""
        magnitude = self._blocks(ops.abs(symbols))[..., None]
        thresholds = ops.convert_to_tensor(np.asarray(THRESHOLDS, "float32"))
        above = ops.cast(magnitude >= thresholds, "float32")
        above = ops.sum(above, axis=2)  # (B, N, C, T)
        _, n, c, t = ops.shape(above)
        steps = table[..., 1:] - table[..., :-1]  # (B, K, C, T)
        cost = ops.matmul(
            ops.reshape(above, (-1, n, c * t)),
            ops.transpose(ops.reshape(steps, (-1, self.config.classes, c * t)), (0, 2, 1)),
        )
        cost += (self.config.class_block**2 * ops.sum(table[..., 0], -1) + index_bits)[:, None]
        best = ops.argmin(ops.stop_gradient(cost), axis=-1)
        return ops.one_hot(best, self.config.classes)


def _bits(
    value: keras.KerasTensor, log_scale: keras.KerasTensor, log_weight: keras.KerasTensor
) -> keras.KerasTensor:
    """Code length of the unit interval around ``value``; the mixture is the last axis."""
    value = ops.abs(value)  # by symmetry; in the right tail float32 would lose precision
    slope = ops.exp(-log_scale)
    inside = ops.sigmoid((0.5 - value) * slope) - ops.sigmoid((-0.5 - value) * slope)
    probability = ops.sum(ops.exp(log_weight) * inside, axis=-1)
    return -ops.log(ops.maximum(probability, FLOOR)) / np.log(2)
