"""Writing a trained model as a folder of the zoo."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from nic.errors import ModelError
from nic.models import dcn, weights
from nic.models.load import load_networks
from nic.models.model import THUMBNAIL, Model
from nic.models.tables import Prior
from nic.models.training.rate_distortion import RateDistortion
from nic.types import CODEBOOK

DEFAULT_QUALITY = 50
# Mean SSIMULACRA 2 at cjxl's qualities, with libjxl 0.11 at effort 7, of 40 training pictures.
CJXL = {
    10: 11.4, 20: 37.0, 30: 49.8, 40: 54.3, 50: 59.1, 60: 64.5, 70: 70.8, 80: 77.9, 90: 86.3,
    95: 91.1,
}  # fmt: skip
JOIN = 4  # how far from the ends of its own scores a model keeps to those of cjxl
FILES = (weights.NAME, "prior.npz")


def export(
    trained: RateDistortion,
    folder: Path,
    version: int,
    points: NDArray[np.float64] | None = None,
    default_quality: float = DEFAULT_QUALITY,
) -> None:
    """Write model.json and weights.npy into ``folder``.

    The tables of the entropy coder come later: see ``add_prior``.

    Args:
        trained: the model; it is balanced in place, see ``RateDistortion.balance``.
        folder: the folder to write into.
        version: number of the model's version.
        points: the rate points of the exported model, from quality 1 to 100, as ascending
            (fractional) indices into the rate points of training; None for the latter themselves.
        default_quality: the quality, 1..100, that is used when none is asked for.
    """
    trained.balance()
    tables = trained.tables() | {"lambdas": np.array(trained.config.rate.lambdas)[:, None]}
    if points is not None:
        tables = {name: at_points(table, points) for name, table in tables.items()}
    _write_weights(trained.analysis, trained.synthesis, folder)
    definition: dict[str, Any] = {
        "name": trained.config.name,
        "version": version,
        "transform": asdict(trained.config.transform),
        "codebook": CODEBOOK,
        "excess": True,
        "predicted": trained.config.rate.predicted,
        "default_quality": default_quality,
        "distortion": trained.config.training.distortion,
        "lambdas": tables["lambdas"][:, 0].tolist(),
        "gains": tables["gain"].tolist(),
        "steps": tables["step"].tolist(),
    }
    _write(definition, folder)


def at_points(table: NDArray[Any], points: NDArray[np.float64]) -> NDArray[Any]:
    """Geometric interpolation of rows (L, C) at fractional indices (N,) -> (N, C)."""
    below = np.clip(points.astype(int), 0, len(table) - 2)
    share = (points - below)[:, None]
    return np.asarray(table[below] ** (1 - share) * table[below + 1] ** share)


def like_cjxl(scores: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Rate points for which a quality means what it means to cjxl, as a score of SSIMULACRA 2.

    Near quality 1 the first rate point may have a higher score, and near quality 100 the last one
    a lower score. There the scores are stretched evenly.

    Args:
        scores: (L,), the scores of the rate points of training, ascending.
        count: how many rate points to return.
    Returns: (count,), fractional indices from 0 to L - 1.
    """
    least, most = float(scores[0]), float(scores[-1])
    inside = {q: s for q, s in CJXL.items() if least + JOIN < s < most - JOIN}
    known = {1: least, **inside, 100: most}
    wanted = np.interp(np.linspace(1, 100, count), list(known), list(known.values()))
    return np.interp(wanted, scores, np.arange(len(scores)))


def export_reference(
    trained: dcn.SoftRateDistortion, folder: Path, name: str, version: int
) -> None:
    """Write a model of the reference family as ``export`` does; it has no tables.

    It has only one rate point, as the number of latent channels decides its quality. Gains and
    steps are 1.
    """
    _write_weights(trained.analysis, trained.synthesis, folder)
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


def _write_weights(analysis: keras.Model, synthesis: keras.Model, folder: Path) -> None:
    """Write weights.npy."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        f"{name}/{variable.path}": keras.ops.convert_to_numpy(variable)
        for name, network in (("analysis", analysis), ("synthesis", synthesis))
        for variable in network.weights
    }
    weights.save(folder, arrays)


def write_litert(model: Model, folder: Path) -> None:
    """Write analysis.tflite and synthesis.tflite of an installed model into ``folder``.

    Inputs and outputs are float32 (1, h, w, channels) of any size; pixels are in [0, 1]. Needs the
    TensorFlow backend, because LiteRT models are converted from it.

    Raises: ModelError when there is another backend.
    """
    if keras.backend.backend() != "tensorflow":
        raise ModelError("LiteRT models are converted from TensorFlow: set KERAS_BACKEND")
    folder.mkdir(parents=True, exist_ok=True)
    for name, network in zip(("analysis", "synthesis"), load_networks(model), strict=True):
        network.export(str(folder / f"{name}.tflite"), format="litert", verbose=False)


def add_prior(folder: Path, prior: Prior) -> None:
    """Write prior.npz into a model's folder, and its hash into model.json."""
    prior.save(folder / "prior.npz")
    _write(json.loads((folder / "model.json").read_text(encoding="utf-8")), folder)


def add_thumbnail(folder: Path, colours: NDArray[np.float32]) -> None:
    """Write thumbnail.npy into a model's folder, see ``Model.thumbnail``; model.json stays."""
    np.save(folder / THUMBNAIL, np.ascontiguousarray(colours, "<f4"))


def _write(definition: dict[str, Any], folder: Path) -> None:
    """Write model.json, with the SHA-256 of every file of FILES that exists."""
    present = [name for name in FILES if (folder / name).exists()]
    digests = {f: hashlib.sha256((folder / f).read_bytes()).hexdigest() for f in present}
    text = json.dumps({**definition, "files": digests})
    (folder / "model.json").write_text(text + "\n", encoding="utf-8")
