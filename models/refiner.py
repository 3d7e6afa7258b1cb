"""Latents refined for one picture, by gradient descent through the synthesis transform.

An analysis transform is trained for the average picture; for the one at hand better latents are
near. They are searched by stochastic Gumbel annealing (Yang, Bamler and Mandt, "Improving
Inference for Neural Image Compression", NeurIPS 2020): a latent is one of its two neighbours,
drawn at random and nearly continuous at first, and less of both with time. Rate is the code
length of the tables that the symbols will be coded with. Decoders need not know.
"""

import math

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from nic.errors import UsageError
from nic.models.distortion.measures import LEAST_SIDES, MEASURES
from nic.models.keras_backend import Window
from nic.models.prediction import median_edge
from nic.models.zoo import Model
from nic.types import STRIDE

SEED = 1
LEARNING_RATE = 0.02  # of latents, whose unit is the quantizer's step
WARM_TEMPERATURE, COLD_TEMPERATURE = 0.5, 0.025
WARM_SHARE, FAST_SHARE = 0.2, 0.3  # of the steps, before temperature and rate fall
MARGIN = 1e-4  # from either neighbour, where the slope is infinite


class Refiner(keras.Model):
    """Rate and distortion of one window as a function of its latents, its only weights."""

    def __init__(self, model: Model, synthesis: keras.Model, latents: tuple[int, ...]) -> None:
        """``latents``: shape (h, w, C) of the windows that will be refined.

        Raises UsageError when the model's measure cannot be taken of them.
        """
        least = LEAST_SIDES[model.measure]
        if STRIDE * min(latents[:2]) < least:
            raise UsageError(f"for {model.measure} no picture below {least} pixels can be refined")
        super().__init__(name="refiner")
        self._synthesis = synthesis.__call__  # not a layer of this model: its weights stay
        self._measure = MEASURES[model.measure]
        self._codebook, self._has_excess = model.codebook, model.has_excess
        self._predicted = np.zeros(model.channels, "float32")
        self._predicted[list(model.predicted)] = 1
        self._latents = self.add_weight(shape=latents, initializer="zeros", name="latents")
        self._noise = keras.random.SeedGenerator(SEED)
        self._first_noise = ops.convert_to_numpy(self._noise.state)
        self.compile(
            optimizer=keras.optimizers.Adam(LEARNING_RATE),
            loss=lambda _, cost: ops.sum(cost),
            jit_compile=False,
        )
        self.optimizer.build(self.trainable_variables)

    def call(self, inputs: dict[str, keras.KerasTensor]) -> keras.KerasTensor:
        """Rate-distortion cost of the window, in bits.

        Args: arrays of a batch of one: ``picture`` (1, H, W, 3) in [0, 1] and ``counted``
            (1, H, W, 1); ``fixed`` and ``free`` (1, h, w, C): rounded latents, and 1 where the
            weights replace them; ``classes`` int (1, h, w) and ``lengths`` (1, K * C * S) in
            bits; ``step`` (1, C); ``tradeoff`` (1, 1), bits per squared error summed over the
            picture; ``temperature`` (1, 1).
        Returns: (1, 1).
        """
        free = inputs["free"]
        low = ops.stop_gradient(ops.floor(self._latents))[None]
        share = self._share(self._latents[None] - low, inputs["temperature"][0, 0])
        rounded = free * ops.stop_gradient(ops.round(self._latents))[None]
        rounded += (1 - free) * inputs["fixed"]
        prediction = median_edge(rounded) * ops.convert_to_tensor(self._predicted)
        bits = ops.sum(free * self._bits(low - prediction, share, inputs))
        residual = low + share - prediction
        if not self._has_excess:
            residual = ops.clip(residual, *self._codebook)
        values = free * (residual + prediction) + (1 - free) * inputs["fixed"]
        picture, counted = inputs["picture"], inputs["counted"]
        decoded = self._synthesis(values * inputs["step"][:, None, None])
        decoded = counted * decoded + (1 - counted) * picture
        error = self._measure(picture, decoded)[:, None]  # (1, 1), mean over the window
        _, height, width, _ = picture.shape
        return inputs["tradeoff"] * error * (height * width) + bits

    def _share(self, part: keras.KerasTensor, temperature: keras.KerasTensor) -> keras.KerasTensor:
        """How much of the upper neighbour is drawn, given the fraction above the lower one."""
        part = ops.clip(part, MARGIN, 1 - MARGIN)
        upper = (ops.arctanh(part) - ops.arctanh(1 - part)) / temperature
        # The difference of two Gumbel variables is logistic.
        u = keras.random.uniform(part.shape, 1e-6, 1 - 1e-6, seed=self._noise)
        return ops.sigmoid((upper + ops.log(u) - ops.log(1 - u)) / temperature)

    def _bits(
        self, low: keras.KerasTensor, share: keras.KerasTensor, inputs: dict[str, keras.KerasTensor]
    ) -> keras.KerasTensor:
        """Code length (1, h, w, C), linear between the symbol ``low`` and the next."""
        first, last = self._codebook
        symbols = last - first + 1
        channels = low.shape[-1]
        table = inputs["classes"][..., None] * channels + np.arange(channels, dtype="int32")
        at = table * symbols + ops.cast(ops.clip(low, first, last - 1), "int32") - first
        lengths = inputs["lengths"][0]
        below, above = ops.take(lengths, at), ops.take(lengths, at + 1)
        return below + (above - below) * share

    def refine(self, window: Window, steps: int) -> NDArray[np.float32]:
        """Latents (h, w, C) of a window after so many steps, the fixed ones as they were."""
        self._restart(window.latents)
        inputs = {name: array[None] for name, array in window.inputs.items()}
        inputs["fixed"] = np.rint(window.latents)[None]
        target = np.zeros((1, 1), np.float32)
        for step in range(steps):
            rate, temperature = schedule(step / steps)
            self.optimizer.learning_rate.assign(rate)
            inputs["temperature"] = np.full((1, 1), temperature, np.float32)
            self.train_on_batch(inputs, target)
        refined = ops.convert_to_numpy(self._latents)
        return np.where(window.inputs["free"] > 0, refined, window.latents)

    def _restart(self, latents: NDArray[np.float32]) -> None:
        """Forget what came before: a window's result is its own, whatever was refined first."""
        for variable in self.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        self._noise.state.assign(self._first_noise)
        self._latents.assign(latents)


def schedule(progress: float) -> tuple[float, float]:
    """Learning rate and temperature after a share of the steps."""
    cooled = max(0.0, progress - WARM_SHARE) / (1 - WARM_SHARE)
    temperature = WARM_TEMPERATURE * (COLD_TEMPERATURE / WARM_TEMPERATURE) ** cooled
    slowed = max(0.0, progress - FAST_SHARE) / (1 - FAST_SHARE)
    return LEARNING_RATE * (1 + math.cos(math.pi * slowed)) / 2, temperature
