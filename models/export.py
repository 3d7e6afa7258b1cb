"""Freeze a trained model family into a folder of the zoo, and load it back into Keras."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nic.models import networks
from nic.models.config import TransformConfig
from nic.models.tables import Prior
from nic.models.training import CODEBOOK, RateDistortion
from nic.models.zoo import Model

DEFAULT_QUALITY = 50
FILES = ("analysis.tflite", "synthesis.tflite", "weights.npz", "prior.npz")


def export(trained: RateDistortion, folder: Path, version: int) -> None:
    """Write model.json, weights.npz and both LiteRT networks into ``folder``.

    The entropy coder's tables come after: see ``add_prior``. Needs the TensorFlow backend,
    which LiteRT models are converted from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trained.balance()
    tables = trained.tables()
    both = {"analysis": trained.analysis, "synthesis": trained.synthesis}
    weights = {
        f"{name}/{variable.path}": keras.ops.convert_to_numpy(variable)
        for name, network in both.items()
        for variable in network.weights
    }
    np.savez(folder / "weights.npz", **weights)
    for name, network in both.items():
        network.export(str(folder / f"{name}.tflite"), format="litert", verbose=False)
    definition: dict[str, Any] = {
        "name": trained.config.name,
        "version": version,
        "transform": asdict(trained.config.transform),
        "codebook": CODEBOOK,
        "predicted": trained.config.rate.predicted,
        "default_quality": DEFAULT_QUALITY,
        "lambdas": trained.config.rate.lambdas,
        "gains": tables["gain"].tolist(),
        "steps": tables["step"].tolist(),
    }
    _write(definition, folder)


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


def load_networks(model: Model) -> tuple[keras.Model, keras.Model]:
    """The analysis and synthesis transforms of an installed model. Raises ModelError."""
    config = TransformConfig.from_table(model.definition["transform"])
    both = {"analysis": networks.analysis(config), "synthesis": networks.synthesis(config)}
    with np.load(model.file("weights.npz")) as weights:
        for name, network in both.items():
            for variable in network.weights:
                variable.assign(weights[f"{name}/{variable.path}"])
    return both["analysis"], both["synthesis"]
