#!/usr/bin/env python3
"""Train a model family: rate-distortion loss, EMA, cosine decay, exact resume.

    scripts/train.py --config models/configs/light.toml --data FOLDER --out runs/light \\
        --minutes 60 [--start models/checkpoints/light.npz]

Runs on any Keras backend (KERAS_BACKEND=tensorflow|jax|torch). The budget is --minutes of training
time, or --steps. The learning rate depends on the share of the budget that is spent; for the
reference family it is halved after a number of epochs instead. The same command, run again,
continues from the checkpoint in --out; with a larger budget it continues the schedule.
A new run can --start from the averaged weights of another family, which may have fewer blocks and
other rate points.
Each report is one line on stderr and one JSON object in OUT/metrics.jsonl.
"""

import math
import os
import sys
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import click
import keras

from nic.models.config import DcnConfig, load_config
from nic.models.training.data import load_pictures
from nic.models.training.loop import train
from nic.models.training.made import made_pictures
from nic.models.training.run import Run, averaged

MADE = 700  # made pictures, from which a share of the patches is cut


@click.command(help=__doc__)
@click.option("--config", "config_path", type=click.Path(path_type=Path), required=True)
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option(
    "--start",
    type=click.Path(exists=True, path_type=Path),
    help="Checkpoint to start a fresh run from.",
)
@click.option("--gamma", type=float, help="Sharpness of the reference's quantizer.")
@click.option("--minutes", type=float, default=math.inf, help="Budget of training time.")
@click.option("--steps", type=int, default=sys.maxsize, help="Budget of steps.")
@click.option("--report", type=int, default=200, show_default=True, help="Steps per report.")
@click.option("--precision", type=click.Choice(["float32", "mixed_bfloat16"]), default="float32",
              show_default=True, help="Of the networks' blocks; weights are float32.")  # fmt: skip
@click.option("--save", type=float, default=3.0, show_default=True, help="Minutes per checkpoint.")
def main(
    config_path: Path, data: Path, out: Path, start: Path | None, gamma: float | None,
    minutes: float, steps: int, report: int, precision: str, save: float,
) -> None:  # fmt: skip
    if minutes == math.inf and steps == sys.maxsize:
        raise click.UsageError("give a budget: --minutes or --steps")
    config = load_config(config_path)
    if gamma is not None:
        if not isinstance(config, DcnConfig):
            raise click.UsageError("--gamma is for the reference family")
        config = replace(config, quantizer=replace(config.quantizer, gamma=gamma))
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
