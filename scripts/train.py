#!/usr/bin/env python3
"""Train a model family: rate-distortion loss, EMA, cosine decay, exact resume.

    scripts/train.py --config models/configs/light.toml --data FOLDER --out runs/light \\
        --minutes 60 [--start models/checkpoints/light.npz]

Runs on any Keras backend (KERAS_BACKEND=tensorflow|jax|torch). The learning rate follows the
share of the budget that is spent: --minutes of training time, or --steps; that of the
reference family is halved after so many epochs instead. Running the same command again goes on
from the checkpoint in --out; a larger budget continues the schedule.
A fresh run can start from the averaged weights of another family's checkpoint, which may have
fewer blocks and other rate points.
Progress is one line on stderr and one JSON object per report in OUT/metrics.jsonl.
"""

import json
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import click
import keras
import numpy as np

from nic.models import dcn
from nic.models.config import DcnConfig, ModelConfig, TrainingConfig, config_of, load_config
from nic.models.training import rate_distortion
from nic.models.training.data import load_pictures
from nic.models.training.made import made_pictures
from nic.models.training.soap import SOAP

SAMPLE = 256  # patches that the DCT start is measured on
OPTIMIZERS = {"adam": keras.optimizers.Adam, "soap": SOAP}
MADE = 700  # made pictures, of which a share of the patches is cut
AT_ONCE = 50  # steps that JAX makes one program of


class Run:
    """A model in training, with everything that its checkpoint holds."""

    def __init__(
        self, config: ModelConfig | DcnConfig, found: list[Any], made: Sequence[Any] = ()
    ) -> None:
        """``found`` and ``made``: uint8 (H, W, 3) pictures."""
        pictures = rate_distortion.Pictures(found, made, config.training.made_share)
        keras.utils.set_random_seed(config.training.seed)
        self.config = config
        self.rng = np.random.default_rng(config.training.seed)
        self.epoch = len(pictures) / config.training.batch  # in steps
        if isinstance(config, DcnConfig):
            feed = rate_distortion.plain_batches(config.training, pictures, self.rng)
            self.model = dcn.SoftRateDistortion(config.transform.latents, config.quantizer.gamma)
            loss = self.model.objective
        else:
            feed = rate_distortion.batches(config, pictures, self.rng)
            places = pictures.places(SAMPLE, config.training.patch, self.rng)
            sample = rate_distortion.cut(pictures.pixels, places, config.training.patch)
            patches = np.round(keras.ops.convert_to_numpy(sample) * 255).astype("uint8")
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

    def inputs(self, batch: rate_distortion.Batch) -> Any:
        """What the model takes of a batch."""
        return batch.inputs(self.pixels, self.config.training.patch)

    def _one_by_one(self, batches: list[rate_distortion.Batch], rates: list[float]) -> Any:
        """Train on each batch at its learning rate: loss, bpp and mse of each (N, 3)."""
        results = []
        for batch, rate in zip(batches, rates, strict=True):
            self.optimizer.learning_rate.assign(rate)
            self.model.reset_metrics()
            results.append(self.model.train_on_batch(self.inputs(batch), batch.target))
        return np.array(results)

    def _compiled(self) -> Any:
        """The same as one program of JAX's."""
        from nic.models.training.compiled import Steps

        return partial(Steps(self.model, self.config.training.patch), self.pixels)

    def _variables(self) -> list[keras.Variable]:
        return [*self.model.variables, *self.optimizer.variables]

    def save(self, path: Path) -> None:
        """Write the checkpoint under a temporary name, then rename: never half a file."""
        arrays = {
            f"v{i:04d}": keras.ops.convert_to_numpy(v) for i, v in enumerate(self._variables())
        }
        state = json.dumps(
            {
                "config": asdict(self.config),
                "step": self.step,
                "seconds": self.seconds,
                "rng": self.rng.bit_generator.state,
            }
        )
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as out:
            np.savez(out, state=np.array(state), **arrays)
        temporary.replace(path)

    def load(self, path: Path) -> None:
        """Go on exactly where ``save`` left off."""
        with np.load(path) as arrays:
            for i, variable in enumerate(self._variables()):
                variable.assign(arrays[f"v{i:04d}"])
        state = checkpoint_state(path)
        self.step, self.seconds = state["step"], state["seconds"]
        self.rng.bit_generator.state = state["rng"]


def checkpoint_state(path: Path) -> dict[str, Any]:
    """Configuration, step, seconds and random state of a checkpoint."""
    with np.load(path) as arrays:
        state: dict[str, Any] = json.loads(str(arrays["state"]))
    return state


def averaged(path: Path) -> Any:
    """The model of a checkpoint, of whatever configuration, with its averaged weights."""
    config = config_of(checkpoint_state(path)["config"])
    size = config.training.patch
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    run = Run(config, [noise])  # the start, measured on it, is overwritten by the checkpoint
    run.load(path)
    run.optimizer.finalize_variable_values(run.model.trainable_variables)
    return run.model


def _bpp(_: Any, rate_distortion: Any) -> Any:
    return keras.ops.mean(rate_distortion[:, 0])


def _mse(_: Any, rate_distortion: Any) -> Any:
    return keras.ops.mean(rate_distortion[:, 1])


def learning_rate(
    config: TrainingConfig, progress: float, epochs: float = 0.0, step: int = sys.maxsize
) -> float:
    """Constant until ``decay_from``, then a half cosine down to the final rate.

    Or halved every ``halve_every`` epochs, whatever the budget. The first ``warm_up`` steps rise
    to it.
    """
    warmth = min(1.0, (step + 1) / config.warm_up) if config.warm_up else 1.0
    if config.halve_every:
        return warmth * config.learning_rate / 2 ** (epochs // config.halve_every)
    decay = min(1.0, max(0.0, progress - config.decay_from) / (1 - config.decay_from))
    high, low = config.learning_rate, config.final_learning_rate
    return warmth * (low + (high - low) * (1 + math.cos(math.pi * decay)) / 2)


def train(run: Run, out: Path, minutes: float, steps: int, report: int, save: float) -> None:
    """Train until the budget is spent; checkpoint every ``save`` minutes and at the end."""
    config = run.config.training
    saved = reported = run.seconds
    results: list[Any] = []
    with (out / "metrics.jsonl").open("a") as metrics:
        while run.step < steps and run.seconds < 60 * minutes:
            begun = time.monotonic()
            # Either so many steps or one, as each number of them is compiled by itself.
            whole = run.step % run.at_once == 0 and run.step + run.at_once <= steps
            ahead = range(run.step, run.step + (run.at_once if whole else 1))
            spent = run.seconds / (60 * minutes)
            rates = [
                learning_rate(config, max(step / steps, spent), step / run.epoch, step)
                for step in ahead
            ]
            results += list(run.advance([next(run.feed) for _ in ahead], rates))
            run.step += len(ahead)
            run.seconds += time.monotonic() - begun
            if len(results) >= report:
                progress = max(run.step / steps, run.seconds / (60 * minutes))
                loss, bpp, mse = np.mean(results, axis=0)
                line = {
                    "step": run.step,
                    "minutes": run.seconds / 60,
                    "patches_per_s": len(results) * config.batch / (run.seconds - reported),
                    "loss": float(loss),
                    "bpp": float(bpp),
                    "mse": float(mse) * 255**2,
                    "lr": rates[-1],
                }
                results, reported = [], run.seconds
                metrics.write(json.dumps(line) + "\n")
                metrics.flush()
                print(
                    f"step {run.step}  loss {loss:.3f}  {bpp:.3f} bpp  mse {line['mse']:.1f}  "
                    f"{line['patches_per_s']:.0f} patches/s  "
                    f"{run.seconds * (1 / progress - 1) / 60:.0f} min left",
                    file=sys.stderr, flush=True,
                )  # fmt: skip
            if run.seconds - saved > 60 * save:
                saved = run.seconds
                run.save(out / "checkpoint.npz")
    run.save(out / "checkpoint.npz")


@click.command(help=__doc__)
@click.option("--config", "config_path", type=click.Path(path_type=Path), required=True)
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option(
    "--start",
    type=click.Path(exists=True, path_type=Path),
    help="Checkpoint to start a fresh run from.",
)
@click.option("--minutes", type=float, default=math.inf, help="Budget of training time.")
@click.option("--steps", type=int, default=sys.maxsize, help="Budget of steps.")
@click.option("--report", type=int, default=200, show_default=True, help="Steps per report.")
@click.option("--precision", type=click.Choice(["float32", "mixed_bfloat16"]), default="float32",
              show_default=True, help="Of the networks' blocks; weights are float32.")  # fmt: skip
@click.option("--save", type=float, default=3.0, show_default=True, help="Minutes per checkpoint.")
def main(
    config_path: Path, data: Path, out: Path, start: Path | None,
    minutes: float, steps: int, report: int, precision: str, save: float,
) -> None:  # fmt: skip
    if minutes == math.inf and steps == sys.maxsize:
        raise click.UsageError("give a budget: --minutes or --steps")
    config = load_config(config_path)
    if start is not None and isinstance(config, DcnConfig):
        raise click.UsageError("the reference family starts from random weights, not --start")
    keras.config.set_dtype_policy(precision)
    out.mkdir(parents=True, exist_ok=True)
    found = load_pictures(data, config.training.patch)
    made = made_pictures(found, MADE, config.training.seed) if config.training.made_share else []
    run = Run(config, found, made)
    if (out / "checkpoint.npz").exists():
        run.load(out / "checkpoint.npz")
    elif start is not None:
        run.model.start_from(averaged(start))
    train(run, out, minutes, steps, report, save)


if __name__ == "__main__":
    main()
