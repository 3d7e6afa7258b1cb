"""Refinement of latents for one picture, by gradient descent through the synthesis transform.

An analysis transform is trained for the average picture. For a particular picture there are better
latents nearby. They are searched by stochastic Gumbel annealing (Yang, Bamler and Mandt, "Improving
Inference for Neural Image Compression", NeurIPS 2020). A latent lies between two integers. At
first, a random mixture of the two is used; as the temperature falls, the mixture becomes one of
them, and less random. The rate is the code length in the tables that will code the symbols.
Decoders are not affected.
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
LEARNING_RATE = 0.02  # in units of the quantizer's step
WARM_TEMPERATURE, COLD_TEMPERATURE = 0.5, 0.025
WARM_SHARE = 0.2  # share of the steps before the temperature falls
FAST_SHARE = 0.3  # share of the steps before the learning rate falls
MARGIN = 1e-4  # least distance from either integer, where the slope is infinite


class Refiner(keras.Model):
    """The rate-distortion cost of one window; its latents are the only weights."""

    def __init__(self, model: Model, synthesis: keras.Model, latents: tuple[int, ...]) -> None:
        """``latents``: shape (h, w, C) of the windows that will be refined.

        Raises: UsageError when the windows are too small for the model's measure.
        """
        least = LEAST_SIDES[model.measure]
        if STRIDE * min(latents[:2]) < least:
            raise UsageError(
                f"for {model.measure} no picture below {least} pixels can be refined; "
                "with --tune psnr it can"
            )
        super().__init__(name="refiner")
        self._synthesis = synthesis.__call__  # a function is not tracked: its weights stay fixed
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

        Args: inputs: arrays for a batch of one:
            ``picture`` (1, H, W, 3): the original, in [0, 1];
            ``counted`` (1, H, W, 1): 1 for pixels whose error counts, else 0;
            ``fixed`` (1, h, w, C): rounded latents;
            ``free`` (1, h, w, C): 1 where the weights replace the fixed latents, else 0;
            ``classes`` int (1, h, w): the class of every latent;
            ``lengths`` (1, K * C * S): code length of every symbol by class and channel, in bits;
            ``step`` (1, C): factors of rounded latents;
            ``tradeoff`` (1, 1): bits per unit of squared error, summed over the window;
            ``temperature`` (1, 1).
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
        """The random share of the upper integer, given the fraction above the lower one."""
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
        """Latents (h, w, C) of a window after ``steps`` steps; latents that are not free stay."""
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
        """Reset weights, optimizer and noise, so that results do not depend on earlier windows."""
        for variable in self.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        self._noise.state.assign(self._first_noise)
        self._latents.assign(latents)


def schedule(progress: float) -> tuple[float, float]:
    """Learning rate and temperature after a share ``progress`` of the steps, 0 to 1."""
    cooled = max(0.0, progress - WARM_SHARE) / (1 - WARM_SHARE)
    temperature = WARM_TEMPERATURE * (COLD_TEMPERATURE / WARM_TEMPERATURE) ** cooled
    slowed = max(0.0, progress - FAST_SHARE) / (1 - FAST_SHARE)
    return LEARNING_RATE * (1 + math.cos(math.pi * slowed)) / 2, temperature
