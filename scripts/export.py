#!/usr/bin/env python3
"""Export a training run's averaged weights as a model of the zoo.

    scripts/export.py --config models/configs/light.toml --run runs/light --to models/zoo/light-1

The version is the number at the end of the folder's name. Needs the TensorFlow backend.
"""

from pathlib import Path

import click
import numpy as np
from train import Run  # the script beside this one, which owns the checkpoint

from nic.models.config import load_config
from nic.models.export import export


@click.command(help=__doc__)
@click.option("--config", "config_path", type=click.Path(path_type=Path), required=True)
@click.option("--run", "run_path", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True)
def main(config_path: Path, run_path: Path, folder: Path) -> None:
    config = load_config(config_path)
    size = config.training.patch
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    run = Run(config, [noise])  # the start, measured on it, is overwritten by the checkpoint
    run.load(run_path / "checkpoint.npz")
    run.optimizer.finalize_variable_values(run.model.trainable_variables)
    export(run.model, folder, version=int(folder.name.rpartition("-")[2]))


if __name__ == "__main__":
    main()
