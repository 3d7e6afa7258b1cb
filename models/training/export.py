"""Freeze a trained model family into a folder of the zoo."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nic.models import dcn
from nic.models.tables import Prior
from nic.models.training.rate_distortion import RateDistortion
from nic.types import CODEBOOK

DEFAULT_QUALITY = 50
FILES = ("analysis.tflite", "synthesis.tflite", "weights.npz", "prior.npz")


def export(trained: RateDistortion, folder: Path, version: int) -> None:
    """Write model.json, weights.npz and both LiteRT networks into ``folder``.

    The entropy coder's tables come after: see ``add_prior``. Needs the TensorFlow backend,
    which LiteRT models are converted from.
    """
    trained.balance()
    tables = trained.tables()
    _write_networks(trained.analysis, trained.synthesis, folder)
    definition: dict[str, Any] = {
        "name": trained.config.name,
        "version": version,
        "transform": asdict(trained.config.transform),
        "codebook": CODEBOOK,
        "excess": True,
        "predicted": trained.config.rate.predicted,
        "default_quality": DEFAULT_QUALITY,
        "lambdas": trained.config.rate.lambdas,
        "gains": tables["gain"].tolist(),
        "steps": tables["step"].tolist(),
    }
    _write(definition, folder)


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
