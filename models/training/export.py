"""Freeze a trained model family into a folder of the zoo."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from nic.models import dcn
from nic.models.tables import Prior
from nic.models.training.rate_distortion import RateDistortion
from nic.types import CODEBOOK

DEFAULT_QUALITY = 50
JOIN = 4  # of a score: how far from its ends quality starts to differ from it
FILES = ("analysis.tflite", "synthesis.tflite", "weights.npz", "prior.npz")


def export(
    trained: RateDistortion,
    folder: Path,
    version: int,
    points: NDArray[np.float64] | None = None,
) -> None:
    """Write model.json, weights.npz and both LiteRT networks into ``folder``.

    The entropy coder's tables come after: see ``add_prior``. Needs the TensorFlow backend,
    which LiteRT models are converted from.

    Args: points: the rate points of the exported model, from quality 1 to quality 100, as
        ascending (fractional) indices into those of training; None for all of training's.
    """
    trained.balance()
    tables = trained.tables() | {"lambdas": np.array(trained.config.rate.lambdas)[:, None]}
    if points is not None:
        tables = {name: at_points(table, points) for name, table in tables.items()}
    _write_networks(trained.analysis, trained.synthesis, folder)
    definition: dict[str, Any] = {
        "name": trained.config.name,
        "version": version,
        "transform": asdict(trained.config.transform),
        "codebook": CODEBOOK,
        "excess": True,
        "predicted": trained.config.rate.predicted,
        "default_quality": DEFAULT_QUALITY,
        "distortion": trained.config.training.distortion,
        "lambdas": tables["lambdas"][:, 0].tolist(),
        "gains": tables["gain"].tolist(),
        "steps": tables["step"].tolist(),
    }
    _write(definition, folder)


def at_points(table: NDArray[Any], points: NDArray[np.float64]) -> NDArray[Any]:
    """Geometric interpolation of rows (L, C) at fractional indices (N,): (N, C)."""
    below = np.clip(points.astype(int), 0, len(table) - 2)
    share = (points - below)[:, None]
    return np.asarray(table[below] ** (1 - share) * table[below + 1] ** share)


def even_in_score(scores: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Rate points at which quality is about a score that grows with the rate.

    Quality q shall have the score q. At the lower end, where the first rate point scores
    better, and at the upper end, where the last one scores worse, the scores are evenly
    stretched.

    Args: scores: (L,) of the rate points of training, ascending.
    Returns: (count,) fractional indices, from 0 to L - 1.
    """
    quality = np.linspace(1, 100, count)
    least, most = float(scores[0]), float(scores[-1])
    low, high = max(least, 1) + JOIN, min(most, 100) - JOIN
    wanted = np.interp(quality, [1, low, high, 100], [least, low, high, most])
    return np.interp(wanted, scores, np.arange(len(scores)))


def export_reference(
    trained: dcn.SoftRateDistortion, folder: Path, name: str, version: int
) -> None:
    """Write a model of the reference family as ``export`` does; it has no tables of its own.

    It has one rate point, as its quality is the number of its latents: gains and steps are 1.
    """
    _write_networks(trained.analysis, trained.synthesis, folder)
    ones = [[1.0] * trained.latents] * 2  # at quality 1 and at 100
    definition: dict[str, Any] = {
        "name": name,
        "family": "dcn",
        "version": version,
        "transform": {"latents": trained.latents},
        "codebook": CODEBOOK,
        "predicted": [],
        "default_quality": DEFAULT_QUALITY,
        "lambdas": [dcn.tradeoff(trained.latents)] * 2,
        "gains": ones,
        "steps": ones,
    }
    _write(definition, folder)


def _write_networks(analysis: keras.Model, synthesis: keras.Model, folder: Path) -> None:
    """Write weights.npz and both LiteRT networks."""
    folder.mkdir(parents=True, exist_ok=True)
    both = {"analysis": analysis, "synthesis": synthesis}
    weights = {
        f"{name}/{variable.path}": keras.ops.convert_to_numpy(variable)
        for name, network in both.items()
        for variable in network.weights
    }
    np.savez(folder / "weights.npz", **weights)
    for name, network in both.items():
        network.export(str(folder / f"{name}.tflite"), format="litert", verbose=False)


def add_prior(folder: Path, prior: Prior) -> None:
    """Write prior.npz into a model's folder and make it part of the model's identity."""
    prior.save(folder / "prior.npz")
    _write(json.loads((folder / "model.json").read_text(encoding="utf-8")), folder)


def _write(definition: dict[str, Any], folder: Path) -> None:
    """Write model.json, with the SHA-256 of every file of the model that is there."""
    present = [name for name in FILES if (folder / name).exists()]
    digests = {f: hashlib.sha256((folder / f).read_bytes()).hexdigest() for f in present}
    text = json.dumps({**definition, "files": digests})
    (folder / "model.json").write_text(text + "\n", encoding="utf-8")
