"""The training loop: learning rates, reports, checkpoints."""

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from nic.models.config import TrainingConfig
from nic.models.training.run import Run


def learning_rate(
    config: TrainingConfig, progress: float, epochs: float = 0.0, step: int = sys.maxsize
) -> float:
    """The learning rate after a share ``progress`` of the run, so many ``epochs`` and a ``step``.

    It rises in the first ``warm_up`` steps. It is constant until ``decay_from``, and then falls as
    a half cosine to the final rate. With ``halve_every`` it is halved after so many epochs instead.
    """
    warmth = min(1.0, (step + 1) / config.warm_up) if config.warm_up else 1.0
    if config.halve_every:
        return warmth * config.learning_rate / 2 ** (epochs // config.halve_every)
    decay = min(1.0, max(0.0, progress - config.decay_from) / (1 - config.decay_from))
    high, low = config.learning_rate, config.final_learning_rate
    return warmth * (low + (high - low) * (1 + math.cos(math.pi * decay)) / 2)


def train(run: Run, out: Path, minutes: float, steps: int, report: int, save: float) -> None:
    """Train until the budget of minutes or steps is spent.

    Args:
        run: the model in training; it may have been loaded from a checkpoint.
        out: folder for ``metrics.jsonl`` and ``checkpoint.npz``.
        minutes, steps: the budget, earlier runs included.
        report: steps per report.
        save: minutes between checkpoints; one more is written at the end.
    """
    config = run.config.training
    saved = reported = run.seconds
    results: list[Any] = []
    with (out / "metrics.jsonl").open("a") as metrics:
        while run.step < steps and run.seconds < 60 * minutes:
            begun = time.monotonic()
            # ``at_once`` steps or one: each number of steps is compiled separately.
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
