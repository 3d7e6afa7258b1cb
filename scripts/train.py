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
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import click
import keras
import numpy as np

from nic.models import dcn, training
from nic.models.config import DcnConfig, ModelConfig, TrainingConfig, load_config
from nic.models.data import load_pictures

SAMPLE = 256  # patches that the DCT start is measured on


class Run:
    """A model in training, with everything that its checkpoint holds."""

    def __init__(self, config: ModelConfig | DcnConfig, pictures: list[Any]) -> None:
        keras.utils.set_random_seed(config.training.seed)
        self.config = config
        self.rng = np.random.default_rng(config.training.seed)
        self.epoch = len(pictures) / config.training.batch  # in steps
        if isinstance(config, DcnConfig):
            feed = training.plain_batches(config.training, pictures, self.rng)
            self.model = dcn.SoftRateDistortion(config.transform.latents, config.quantizer.gamma)
            loss = self.model.objective
        else:
            feed = training.batches(config, pictures, self.rng)
            sample = [next(feed)[0]["picture"] for _ in range(SAMPLE // config.training.batch)]
            patches = np.round(np.concatenate(sample) * 255).astype("uint8")
            self.model = training.RateDistortion(config, patches)
            loss = training.loss
        self.optimizer = keras.optimizers.Adam(
            config.training.learning_rate, global_clipnorm=config.training.clip_norm or None,
            use_ema=True, ema_momentum=config.training.ema,
        )  # fmt: skip
        self.model.compile(
            optimizer=self.optimizer, loss=loss, metrics=[_bpp, _mse], jit_compile=False
        )
        self.feed = feed
        self.model(next(feed)[0])
        self.optimizer.build(self.model.trainable_variables)
        self.step, self.seconds = 0, 0.0

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


def averaged(path: Path) -> training.RateDistortion:
    """The model of a checkpoint, of whatever configuration, with its averaged weights."""
    config = ModelConfig.from_table(checkpoint_state(path)["config"])
    size = config.training.patch
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    run = Run(config, [noise])  # the start, measured on it, is overwritten by the checkpoint
    run.load(path)
    run.optimizer.finalize_variable_values(run.model.trainable_variables)
    return run.model


def _bpp(_: Any, rate_distortion: Any) -> Any:
    return keras.ops.mean(rate_distortion[:, 0])


def _mse(_: Any, rate_distortion: Any) -> Any:
    return keras.ops.mean(rate_distortion[:, 1]) * 255**2


def learning_rate(config: TrainingConfig, progress: float, epochs: float = 0.0) -> float:
    """Constant until ``decay_from``, then a half cosine down to the final rate.

    Or halved every ``halve_every`` epochs, whatever the budget.
    """
    if config.halve_every:
        return config.learning_rate / 2 ** (epochs // config.halve_every)
    decay = min(1.0, max(0.0, progress - config.decay_from) / (1 - config.decay_from))
    high, low = config.learning_rate, config.final_learning_rate
    return low + (high - low) * (1 + math.cos(math.pi * decay)) / 2


def train(run: Run, out: Path, minutes: float, steps: int, report: int, save: float) -> None:
    """Train until the budget is spent; checkpoint every ``save`` minutes and at the end."""
    metrics = (out / "metrics.jsonl").open("a")
    saved = reported = run.seconds
    while run.step < steps and run.seconds < 60 * minutes:
        begun = time.monotonic()
        progress = max(run.step / steps, run.seconds / (60 * minutes))
        epochs = run.step / run.epoch
        run.optimizer.learning_rate.assign(learning_rate(run.config.training, progress, epochs))
        inputs, target = next(run.feed)
        logs = run.model.train_on_batch(inputs, target, return_dict=True)
        run.step += 1
        run.seconds += time.monotonic() - begun
        if run.step % report == 0:
            rate = report * run.config.training.batch / (run.seconds - reported)
            reported = run.seconds
            left = run.seconds * (1 / progress - 1) / 60 if progress else float("inf")
            line = {"step": run.step, "minutes": run.seconds / 60, "patches_per_s": rate}
            line |= {k.removeprefix("_"): float(v) for k, v in logs.items()}
            line["lr"] = float(run.optimizer.learning_rate)
            metrics.write(json.dumps(line) + "\n")
            metrics.flush()
            print(
                f"step {run.step}  loss {line['loss']:.3f}  {line['bpp']:.3f} bpp  "
                f"mse {line['mse']:.1f}  {rate:.0f} patches/s  {left:.0f} min left",
                file=sys.stderr, flush=True,
            )  # fmt: skip
            run.model.reset_metrics()
        if run.seconds - saved > 60 * save:
            saved = run.seconds
            run.save(out / "checkpoint.npz")
    run.save(out / "checkpoint.npz")
    metrics.close()


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
@click.option("--save", type=float, default=3.0, show_default=True, help="Minutes per checkpoint.")
def main(
    config_path: Path, data: Path, out: Path, start: Path | None,
    minutes: float, steps: int, report: int, save: float,
) -> None:  # fmt: skip
    if minutes == math.inf and steps == sys.maxsize:
        raise click.UsageError("give a budget: --minutes or --steps")
    config = load_config(config_path)
    if start is not None and isinstance(config, DcnConfig):
        raise click.UsageError("the reference family starts from random weights, not --start")
    out.mkdir(parents=True, exist_ok=True)
    run = Run(config, load_pictures(data, config.training.patch))
    if (out / "checkpoint.npz").exists():
        run.load(out / "checkpoint.npz")
    elif start is not None:
        run.model.start_from(averaged(start))
    train(run, out, minutes, steps, report, save)


if __name__ == "__main__":
    main()
