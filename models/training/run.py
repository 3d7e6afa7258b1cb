"""A model in training: its data, optimizer, steps and checkpoints."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nic.models import dcn
from nic.models.config import DcnConfig, ModelConfig, config_of
from nic.models.training import dcn_start, rate_distortion
from nic.models.training.soap import SOAP

SAMPLE = 256  # patches that decide the order of the DCT filters
OPTIMIZERS = {"adam": keras.optimizers.Adam, "soap": SOAP}
AT_ONCE = 50  # steps in one program of JAX


class Run:
    """A model in training, with everything that a checkpoint stores."""

    def __init__(
        self, config: ModelConfig | DcnConfig, found: list[Any], made: Sequence[Any] = ()
    ) -> None:
        """``found`` and ``made``: photographs and made pictures, uint8 (H, W, 3) each."""
        pictures = rate_distortion.Pictures(found, made, config.training.made_share)
        keras.utils.set_random_seed(config.training.seed)
        self.config = config
        self.rng = np.random.default_rng(config.training.seed)
        self.epoch = len(pictures) / config.training.batch  # in steps
        if isinstance(config, DcnConfig):
            feed = rate_distortion.plain_batches(config.training, pictures, self.rng)
            self.model = dcn.SoftRateDistortion(config.transform.latents, config.quantizer.gamma)
            loss: Any = self.model.objective
            dcn_start.start_as_dct(self.model, self._sample(pictures))
        else:
            feed = rate_distortion.batches(config, pictures, self.rng)
            patches = self._sample(pictures)
            self.model = rate_distortion.RateDistortion(config, patches)
            loss = rate_distortion.loss
        self.optimizer = OPTIMIZERS[config.training.optimizer](
            config.training.learning_rate, global_clipnorm=config.training.clip_norm or None,
            use_ema=True, ema_momentum=config.training.ema,
        )  # fmt: skip
        self.model.compile(
            optimizer=self.optimizer, loss=loss, metrics=[_bpp, _mse], jit_compile=False
        )
        self.feed, self.pixels = feed, pictures.pixels
        self.model(self.inputs(next(feed)))
        self.optimizer.build(self.model.trainable_variables)
        self.step, self.seconds = 0, 0.0
        self.advance, self.at_once = self._one_by_one, 1
        if keras.backend.backend() == "jax":
            self.advance, self.at_once = self._compiled(), AT_ONCE

    def _sample(self, pictures: rate_distortion.Pictures) -> Any:
        """Patches uint8 (B, H, W, 3) for the start of the transforms."""
        patch = self.config.training.patch
        places = pictures.places(SAMPLE, patch, self.rng)
        sample = rate_distortion.cut(pictures.pixels, places, patch)
        return np.round(keras.ops.convert_to_numpy(sample) * 255).astype("uint8")

    def inputs(self, batch: rate_distortion.Batch) -> Any:
        """The model's inputs for a batch."""
        return batch.inputs(self.pixels, self.config.training.patch)

    def _one_by_one(self, batches: list[rate_distortion.Batch], rates: list[float]) -> Any:
        """Train on each batch at its learning rate; return loss, bpp and mse of each, (N, 3)."""
        results = []
        for batch, rate in zip(batches, rates, strict=True):
            self.optimizer.learning_rate.assign(rate)
            self.model.reset_metrics()
            results.append(self.model.train_on_batch(self.inputs(batch), batch.target))
        return np.array(results)

    def _compiled(self) -> Any:
        """A function like ``_one_by_one`` that runs all steps as one program of JAX."""
        from nic.models.training.compiled import Steps

        return partial(Steps(self.model, self.config.training.patch), self.pixels)

    def _variables(self) -> list[keras.Variable]:
        return [*self.model.variables, *self.optimizer.variables]

    def save(self, path: Path) -> None:
        """Write a checkpoint with everything that ``load`` needs to continue."""
        state = {
            "config": asdict(self.config),
            "step": self.step,
            "seconds": self.seconds,
            "rng": self.rng.bit_generator.state,
        }
        _write(path, state, self._variables())

    def load(self, path: Path) -> None:
        """Restore a checkpoint, to continue exactly where ``save`` was called."""
        _assign(self._variables(), path)
        state = checkpoint_state(path)
        self.step, self.seconds = state["step"], state["seconds"]
        self.rng.bit_generator.state = state["rng"]


def checkpoint_state(path: Path) -> dict[str, Any]:
    """Configuration, step, seconds and random state of a checkpoint."""
    with np.load(path) as arrays:
        state: dict[str, Any] = json.loads(str(arrays["state"]))
    return state


def averaged(path: Path) -> Any:
    """The model of a file of ``Run.save`` or ``save_averaged``, with its averaged weights."""
    state = checkpoint_state(path)
    config = config_of(state["config"])
    size = config.training.patch
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    run = Run(config, [noise])  # the weights that start from this picture are overwritten
    if "rng" not in state:
        _assign(run.model.variables, path)
        return run.model
    run.load(path)
    run.optimizer.finalize_variable_values(run.model.trainable_variables)
    return run.model


def save_averaged(model: Any, config: ModelConfig | DcnConfig, path: Path) -> None:
    """Write only the weights of a model: a quarter of a checkpoint, and enough to start from."""
    _write(path, {"config": asdict(config)}, model.variables)


def _write(path: Path, state: dict[str, Any], variables: Sequence[keras.Variable]) -> None:
    """Write variables to a temporary file, then rename it, so that no partial file appears."""
    arrays = {f"v{i:04d}": keras.ops.convert_to_numpy(v) for i, v in enumerate(variables)}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as out:
        np.savez_compressed(out, state=np.array(json.dumps(state)), **arrays)
    temporary.replace(path)


def _assign(variables: Sequence[keras.Variable], path: Path) -> None:
    with np.load(path) as arrays:
        for i, variable in enumerate(variables):
            variable.assign(arrays[f"v{i:04d}"])


def _bpp(_: Any, rate_distortion: Any) -> Any:
    return keras.ops.mean(rate_distortion[:, 0])


def _mse(_: Any, rate_distortion: Any) -> Any:
    return keras.ops.mean(rate_distortion[:, 1])
