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
from nic.models.training import CODEBOOK, RateDistortion
from nic.models.zoo import Model

DEFAULT_QUALITY = 50


def export(trained: RateDistortion, folder: Path, version: int) -> None:
    """Write model.json, weights.npz and both LiteRT networks into ``folder``.

    Needs the TensorFlow backend, which LiteRT models are converted from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    both = {"analysis": trained.analysis, "synthesis": trained.synthesis}
    weights = {
        f"{name}/{variable.path}": keras.ops.convert_to_numpy(variable)
        for name, network in both.items()
        for variable in network.weights
    }
    np.savez(folder / "weights.npz", **weights)
    for name, network in both.items():
        network.export(str(folder / f"{name}.tflite"), format="litert", verbose=False)
    files = ("analysis.tflite", "synthesis.tflite", "weights.npz")
    tables = trained.tables()
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
        "files": {f: hashlib.sha256((folder / f).read_bytes()).hexdigest() for f in files},
    }
    (folder / "model.json").write_text(json.dumps(definition) + "\n", encoding="utf-8")


def load_networks(model: Model) -> tuple[keras.Model, keras.Model]:
    """The analysis and synthesis transforms of an installed model. Raises ModelError."""
    config = TransformConfig.from_table(model.definition["transform"])
    both = {"analysis": networks.analysis(config), "synthesis": networks.synthesis(config)}
    with np.load(model.file("weights.npz")) as weights:
        for name, network in both.items():
            for variable in network.weights:
                variable.assign(weights[f"{name}/{variable.path}"])
    return both["analysis"], both["synthesis"]
