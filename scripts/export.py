#!/usr/bin/env python3
"""Export a training run's averaged weights as a model of the zoo, and fit its prior tables.

    scripts/export.py --run runs/light --data FOLDER --to models/zoo/light-5

The version is the number at the end of the folder's name. The prior is fitted to symbols of
--pictures training pictures; its --classes need not be as many as the run was trained with. The
reference family has none. Needs the TensorFlow backend.
"""

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import click
import numpy as np
from train import averaged  # the script beside this one, which owns the checkpoint

import nic.fse as fse
from nic.entropy import classmap
from nic.entropy.coding import to_ranks
from nic.models import zoo
from nic.models.dcn import SoftRateDistortion
from nic.models.training.data import load_pictures
from nic.models.training.export import add_prior, export, export_reference
from nic.models.training.fitting import fit
from nic.quantize.rounding import quantize
from nic.transform import backends
from nic.transform.encoding import encode


def symbol_ranks(model: zoo.Model, pictures: list[Any]) -> list[list[Any]]:
    """Per rate point, the ranks (C, h, w) of every picture's symbols."""
    transform = backends.load(model)
    latents = [encode(pixels, transform, (model.name, model.id)) for pixels in pictures]
    points = len(model.definition["lambdas"])
    qualities = [1 + 99 * i / (points - 1) for i in range(points)]
    return [[to_ranks(quantize(record, model, q)) for record in latents] for q in qualities]


@click.command(help=__doc__)
@click.option("--run", "run_path", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True)
@click.option("--pictures", type=int, default=400, show_default=True)
@click.option("--classes", type=click.IntRange(8, 64), default=64, show_default=True)
def main(run_path: Path, data: Path, folder: Path, pictures: int, classes: int) -> None:
    model = averaged(run_path / "checkpoint.npz")
    name, _, version = folder.name.rpartition("-")
    if isinstance(model, SoftRateDistortion):
        export_reference(model, folder, name, int(version))
        return
    config = model.config
    export(model, folder, int(version))
    chosen = load_pictures(data, config.training.patch)
    rng = np.random.default_rng(config.training.seed)
    sample = [chosen[i] for i in rng.choice(len(chosen), min(pictures, len(chosen)), False)]
    ranks = symbol_ranks(zoo.from_folder(folder), sample)
    add_prior(folder, fit(ranks, classes, fse.energy_contexts, classmap.class_costs))


if __name__ == "__main__":
    main()
