#!/usr/bin/env python3
"""Export a training run's averaged weights as a model of the zoo, and fit its prior tables.

    scripts/export.py --run runs/light --data FOLDER --to models/zoo/light-5 \\
        [--keep models/checkpoints/light.npz]
    scripts/export.py --model NAME --litert FOLDER
    scripts/export.py --model NAME --data FOLDER --thumbnails

The version is the number at the end of the folder's name. The prior tables are fitted to the
symbols of --pictures training pictures. The number of --classes may differ from training. The
reference family has no tables. --keep writes the averaged weights, from which further training can
start.

With --thumbnails, an installed model gets its thumbnail.npy, the map from latents to mean colours
that thumbnails are made with. A new model gets it too. It is no part of a model's identity.

With --litert, the transforms of an installed model are written as LiteRT networks, for phones. It
needs the TensorFlow backend.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import click
import numpy as np

import nic.fse as fse
from nic.entropy import classmap
from nic.entropy.coding import to_ranks
from nic.format.channels import latents as latents_of
from nic.models import zoo
from nic.models.config import config_of
from nic.models.dcn import SoftRateDistortion
from nic.models.training.data import load_pictures
from nic.models.training.export import (
    DEFAULT_QUALITY,
    add_prior,
    add_thumbnail,
    export,
    export_reference,
    like_cjxl,
    write_litert,
)
from nic.models.training.fitting import fit
from nic.models.training.made import made_pictures
from nic.models.training.run import averaged, checkpoint_state, save_averaged
from nic.models.training.thumbnails import CHANNELS
from nic.models.training.thumbnails import fit as fit_thumbnail
from nic.picture.perceptual import ssimulacra2
from nic.quantize.rounding import dequantize, quantize
from nic.transform import backends
from nic.transform.encoding import decode, encode

SCORED = 40  # pictures whose scores decide the rate points
SMALLEST = 128  # pixels of a side of the pictures for thumbnails
SHRUNK = 160  # pictures that the map for thumbnails is fitted to
SHRUNK_AT = (10, 30, 50, 70, 90)  # the qualities of their latents


def symbol_ranks(model: zoo.Model, pictures: list[Any]) -> list[list[Any]]:
    """For each rate point, the ranks (C, h, w) of the symbols of every picture."""
    transform = backends.load(model)
    latents = [encode(pixels, transform, (model.name, model.id)) for pixels in pictures]
    points = len(model.definition["lambdas"])
    qualities = [1 + 99 * i / (points - 1) for i in range(points)]
    return [[to_ranks(quantize(record, model, q)) for record in latents] for q in qualities]


def mean_scores(model: zoo.Model, pictures: list[Any]) -> Any:
    """Mean SSIMULACRA 2 of decoded pictures at every rate point, (L,), made ascending."""
    transform = backends.load(model)
    points = len(model.definition["lambdas"])
    scores = []
    for pixels in pictures:
        latents = encode(pixels, transform, (model.name, model.id))
        symbols = (quantize(latents, model, q) for q in np.linspace(1, 100, points))
        decoded = [decode(dequantize(record, model), transform) for record in symbols]
        scores.append([ssimulacra2(pixels, found) for found in decoded])
    return np.maximum.accumulate(np.mean(scores, axis=0))


def thumbnail_samples(model: zoo.Model, pictures: list[Any]) -> Iterator[tuple[Any, Any]]:
    """The latents of every picture, (C, h, w), as files of several qualities hold them."""
    transform = backends.load(model)
    for pixels in pictures[:SHRUNK]:
        record = encode(pixels, transform, (model.name, model.id))
        for quality in SHRUNK_AT:
            yield latents_of(dequantize(quantize(record, model, quality), model)), pixels


def write_thumbnail_map(model: zoo.Model, pictures: list[Any]) -> None:
    """Write thumbnail.npy; the channels of the reference have no order, so it has all of them."""
    channels = model.channels if model.is_reference else CHANNELS
    add_thumbnail(model.folder, fit_thumbnail(thumbnail_samples(model, pictures), channels))


@click.command(help=__doc__)
@click.option("--run", "run_path", type=click.Path(exists=True, path_type=Path))
@click.option("--data", type=click.Path(exists=True, path_type=Path))
@click.option("--to", "folder", type=click.Path(path_type=Path))
@click.option("--keep", type=click.Path(path_type=Path), help="Write the averaged weights here.")
@click.option("--points", type=int, help="Spread so many rate points by the scores of cjxl.")
@click.option("--default-quality", type=click.IntRange(1, 100), default=DEFAULT_QUALITY,
              show_default=True, help="The quality when none is asked for.")  # fmt: skip
@click.option("--pictures", type=int, default=400, show_default=True)
@click.option("--classes", type=click.IntRange(8, 64), default=64, show_default=True)
@click.option(
    "--model",
    default=zoo.DEFAULT,
    show_default=True,
    help="The installed model for --litert and --thumbnails.",
)
@click.option("--thumbnails", is_flag=True, help="Write thumbnail.npy of an installed model.")
@click.option("--litert", type=click.Path(path_type=Path), help="Write LiteRT networks here.")
def main(
    run_path: Path | None, data: Path | None, folder: Path | None, keep: Path | None,
    points: int | None, default_quality: int, pictures: int, classes: int, model: str,
    thumbnails: bool, litert: Path | None,
) -> None:  # fmt: skip
    if litert is not None:
        write_litert(zoo.by_name(model), litert)
    elif thumbnails:
        if data is None:
            raise click.UsageError("--thumbnails needs --data")
        write_thumbnail_map(zoo.by_name(model), load_pictures(data, SMALLEST))
    elif run_path is None or data is None or folder is None:
        raise click.UsageError("a new model needs --run, --data and --to")
    else:
        export_run(run_path, data, folder, keep, points, default_quality, pictures, classes)


def export_run(
    run_path: Path, data: Path, folder: Path, keep: Path | None, points: int | None,
    default_quality: int, pictures: int, classes: int,
) -> None:  # fmt: skip
    """Write a run's model into ``folder``."""
    checkpoint = run_path / "checkpoint.npz"
    model = averaged(checkpoint)
    if keep is not None:
        save_averaged(model, config_of(checkpoint_state(checkpoint)["config"]), keep)
    name, _, version = folder.name.rpartition("-")
    if isinstance(model, SoftRateDistortion):
        export_reference(model, folder, name, int(version))
        write_thumbnail_map(zoo.from_folder(folder), load_pictures(data, SMALLEST))
        return
    config = model.config
    export(model, folder, int(version), None, default_quality)
    chosen = load_pictures(data, config.training.patch)
    rng = np.random.default_rng(config.training.seed)
    sample = [chosen[i] for i in rng.choice(len(chosen), min(pictures, len(chosen)), False)]
    if points is not None:
        scores = mean_scores(zoo.from_folder(folder), sample[:SCORED])
        export(model, folder, int(version), like_cjxl(scores, points), default_quality)
    share = config.training.made_share  # the same mixture of pictures as in training
    made = made_pictures(chosen, round(len(sample) * share), config.training.seed + 1)
    ranks = symbol_ranks(zoo.from_folder(folder), sample + made)
    write_thumbnail_map(zoo.from_folder(folder), sample)
    add_prior(folder, fit(ranks, classes, fse.energy_contexts, classmap.class_costs))


if __name__ == "__main__":
    main()
