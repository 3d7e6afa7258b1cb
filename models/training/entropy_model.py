"""The class-conditioned entropy model of the latents, as training needs it: differentiable.

Every block of latents gets the class with the shortest code; a class gives every channel a
zero-mean mixture of logistics ("a spike and tails"). What a file is coded with are integer
tables that are fitted afterwards: no network runs in the entropy loop.
"""

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from nic.models.config import RateConfig

# Magnitudes at which the code length of a class is tabulated: a symbol costs as much as the
# last threshold at or below its magnitude, taken at that bin's middle.
THRESHOLDS = (1, 2, 3, 4, 6, 8, 12)
MIDDLES = (0.0, 1.0, 2.0, 3.0, 4.5, 6.5, 9.5, 14.0)
SPEED = 10.0  # its parameters move this much faster than weights at the same learning rate
FLOOR = 1e-9  # probability; bounds the code length of an outlier at 30 bits


class EntropyModel(keras.layers.Layer):
    """Code length of latents under the best class of each block.

    ``deviation`` (levels, C) is the expected standard deviation of every scaled channel at
    every rate point; the classes start as multiples of it.
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
            noisy: latents with uniform noise (B, h, w, C), for which the rate is counted.
            symbols: rounded latents (B, h, w, C), by which the class is chosen.
            level: weights over the rate points (B, L).
            mask: 1.0 for the channels that are coded (B, C).
        Returns: (B,) bits.
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
        """(B, h, w, C) -> (B, N, s*s, C), N blocks of s x s latents."""
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
        """One-hot class (B, N, K) of every block, by least code length; no gradient."""
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
    value = ops.abs(value)  # symmetric: the left tail keeps its precision in float32
    slope = ops.exp(-log_scale)
    inside = ops.sigmoid((0.5 - value) * slope) - ops.sigmoid((-0.5 - value) * slope)
    probability = ops.sum(ops.exp(log_weight) * inside, axis=-1)
    return -ops.log(ops.maximum(probability, FLOOR)) / np.log(2)
