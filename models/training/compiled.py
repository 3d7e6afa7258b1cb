"""Many training steps as one program on JAX; Keras's own loop would leave a GPU waiting."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import keras
import numpy as np

from nic.models.training.rate_distortion import Batch

# Gains and steps are exponentials of matrix products. By default a GPU computes these with 10 bits,
# and the trained values would differ from the exported ones. Blocks in bfloat16 are not affected.
jax.config.update("jax_default_matmul_precision", "highest")


class Steps:
    """Training steps of a compiled ``keras.Model``; its variables hold the state between calls."""

    def __init__(self, model: keras.Model, size: int) -> None:
        """``size``: side of the patches in pixels."""
        self._model, self._optimizer, self._size = model, model.optimizer, size
        variables = self._optimizer.variables
        self._rate = [v is self._optimizer.learning_rate for v in variables].index(True)
        self._scan = jax.jit(self._many, donate_argnums=0)

    def __call__(self, pixels: Any, batches: Sequence[Batch], rates: Sequence[float]) -> Any:
        """Train on each batch at its learning rate.

        Args:
            pixels: uint8 (N, 3), the pixels that batches refer to.
            batches, rates: one of each per step.
        Returns: float (steps, 3): loss, bits per pixel and distortion of every step.
        """
        parts = (
            self._model.trainable_variables,
            self._model.non_trainable_variables,
            self._optimizer.variables,
        )
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *batches)
        state = [[variable.value for variable in part] for part in parts]
        state, results = self._scan(state, pixels, stacked, np.array(rates, np.float32))
        for part, values in zip(parts, state, strict=True):
            for variable, value in zip(part, values, strict=True):
                variable.assign(value)
        return np.asarray(results)

    def _many(self, state: Any, pixels: Any, batches: Batch, rates: Any) -> Any:
        return jax.lax.scan(partial(self._one, pixels), state, (batches, rates))

    def _one(self, pixels: Any, state: Any, batch_and_rate: tuple[Batch, Any]) -> Any:
        (weights, others, optimizer), (batch, rate) = state, batch_and_rate
        optimizer = [*optimizer]
        optimizer[self._rate] = rate

        def loss(weights: Any) -> Any:
            inputs = batch.inputs(pixels, self._size)
            found, after = self._model.stateless_call(weights, others, inputs)
            return self._model.loss(batch.target, found), (found, after)

        (value, (found, others)), slopes = jax.value_and_grad(loss, has_aux=True)(weights)
        weights, optimizer = self._optimizer.stateless_apply(optimizer, slopes, weights)
        mean = found.mean(axis=0)
        return [weights, others, optimizer], jax.numpy.stack([value, mean[0], mean[1]])
