"""The installed models: found by name or content hash, read without any network.

A model is a folder ``zoo/NAME-VERSION`` with

    model.json          what defines the coding: transform, gains, steps, prediction, and the
                        SHA-256 of every other file it needs
    analysis.tflite     the transforms for LiteRT
    synthesis.tflite
    weights.npz         the same weights for Keras
    prior.npz           integer tables for the entropy coder (see nic.models.tables)
    card.json           how it was trained and what it measures; not part of its identity

The content hash is the SHA-256 of model.json. A stream stores its first 8 digits; weights
that change get a new version, so that an old file never meets new weights.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nic.errors import ModelError
from nic.models.tables import Prior

ZOO = Path(__file__).parent / "zoo"
PATH_VARIABLE = "NIC_MODEL_PATH"  # further folders of models, separated like PATH
DEFAULT = "light"
# The reference family (see nic.models.dcn): known by name, with its latent channels, and listed
# while no weights of it are installed.
REFERENCE = {"dcn-4k": 16, "dcn-8k": 32, "dcn-16k": 64}
# Analysis: 2 pixels of the first layer, 4 of the second, 6 * 4 of the blocks and 8 of the last
# are 38, less than 5 latents. Synthesis: one latent, 6 * 4 pixels of the blocks, 4 and 2.
REFERENCE_REACH = (5, 5)
PREFIXES = {"4k": 16, "8k": 32, "16k": 64}  # channels; names count latents of a 128x128 patch
TUNES = {"psnr": "", "ms-ssim": "-ms-ssim"}  # what a model was trained for: end of its name
FIELDS = {  # of model.json
    *("name", "version", "transform", "codebook", "predicted", "default_quality", "lambdas"),
    *("gains", "steps", "files"),
}


@dataclass(frozen=True)
class Model:
    """One installed model; arrays and cards are read when first used."""

    folder: Path
    definition: dict[str, Any]
    content_hash: str  # 64 hexadecimal digits

    @property
    def name(self) -> str:
        """Name of the family, without the version."""
        return str(self.definition["name"])

    @property
    def version(self) -> int:
        """Grows with every retraining."""
        return int(self.definition["version"])

    @property
    def id(self) -> str:
        """The 8 hexadecimal digits that name this model in a stream."""
        return self.content_hash[:8]

    @property
    def channels(self) -> int:
        """Number of latent channels."""
        return int(self.definition["transform"]["latents"])

    @property
    def is_reference(self) -> bool:
        """Whether it is of the reference family: see ``nic.models.dcn``."""
        return self.definition.get("family") == "dcn"

    @property
    def reach(self) -> tuple[int, int]:
        """How many latents away analysis and synthesis still see something.

        Every block at latent resolution has a 3x3 kernel; so has every one at half resolution,
        where a latent is 4 wide, and the last layer.
        """
        if self.is_reference:
            return REFERENCE_REACH
        shape = self.definition["transform"]
        half = -(-(int(shape["half_blocks"]) + 1) // 4)
        return int(shape["analysis_blocks"]), int(shape["synthesis_blocks"]) + half

    @property
    def default_quality(self) -> float:
        """The quality used when none is asked for."""
        return float(self.definition["default_quality"])

    @property
    def predicted(self) -> tuple[int, ...]:
        """Channels that are coded as residuals of their neighbours."""
        return tuple(self.definition["predicted"])

    @property
    def codebook(self) -> tuple[int, int]:
        """Least and greatest symbol."""
        low, high = self.definition["codebook"]
        return int(low), int(high)

    @property
    def has_excess(self) -> bool:
        """Whether it was trained with values beyond the codebook, and not with clipped ones."""
        return bool(self.definition.get("excess"))

    @property
    def has_prior(self) -> bool:
        """Whether the entropy coder has tables of this model."""
        return "prior.npz" in self.definition["files"]

    def gain(self, quality: float) -> NDArray[np.float32]:
        """(C,): what latents are multiplied by before rounding, at a quality in 1..100."""
        return self._at(self._gains, quality)

    def step(self, quality: float) -> NDArray[np.float32]:
        """(C,): what rounded latents are multiplied by to give latents back."""
        return self._at(self._steps, quality)

    def tradeoff(self, quality: float) -> float:
        """Bits that one unit of squared error, of a pixel in [0, 1], is worth at a quality."""
        lambdas = np.array(self.definition["lambdas"])[:, None]
        return 255**2 * float(self._at(lambdas, quality)[0])

    @property
    def measure(self) -> str:
        """The distortion that it was trained for, by its name in ``nic.models.distortion``."""
        return "ms-ssim" if self.name.endswith(TUNES["ms-ssim"]) else "mse"

    def file(self, name: str) -> Path:
        """Path of one of the model's files, its content checked. Raises ModelError."""
        path = self.folder / name
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise ModelError(f"model {self.name}: {error}") from error
        if found != self.definition["files"].get(name):
            raise ModelError(f"model {self.name}: {path} is damaged; reinstall it")
        return path

    @cached_property
    def prior(self) -> Prior:
        """The entropy coder's tables. Raises ModelError."""
        return Prior.load(self.file("prior.npz"))

    @cached_property
    def card(self) -> dict[str, Any]:
        """Training and measurements; empty when the model has no card."""
        path = self.folder / "card.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    @cached_property
    def _gains(self) -> NDArray[np.float64]:
        return np.array(self.definition["gains"])

    @cached_property
    def _steps(self) -> NDArray[np.float64]:
        return np.array(self.definition["steps"])

    @staticmethod
    def _at(table: NDArray[np.float64], quality: float) -> NDArray[np.float32]:
        """Geometric interpolation between the rate points, quality 1 and 100 at the ends."""
        at = (quality - 1) / 99 * (len(table) - 1)
        below = min(int(at), len(table) - 2)
        share = at - below
        return np.asarray(table[below] ** (1 - share) * table[below + 1] ** share, np.float32)


def from_folder(folder: Path) -> Model:
    """Read the model in ``folder``. Raises ModelError when its definition is damaged."""
    path = folder / "model.json"
    data = path.read_bytes()
    try:
        definition = json.loads(data)
    except ValueError as error:
        raise ModelError(f"{path} is damaged: {error}") from error
    fields = set(definition) if isinstance(definition, dict) else set()
    if missing := FIELDS - fields:
        raise ModelError(f"{path} is damaged: it lacks {', '.join(sorted(missing))}")
    return Model(folder, definition, hashlib.sha256(data).hexdigest())


def installed() -> list[Model]:
    """Every installed model, by name and then newest version first."""
    models = {model.content_hash: model for model in _read_all()}
    return sorted(models.values(), key=lambda model: (model.name, -model.version))


def untrained() -> dict[str, int]:
    """The reference models without installed weights: latent channels by name."""
    names = {model.name for model in installed()}
    return {name: channels for name, channels in REFERENCE.items() if name not in names}


def remedy(name: str) -> str:
    """What to do about an untrained model, in one clause."""
    config = f"models/configs/{name}.toml"
    return f"no weights are shipped; train them with scripts/train.py --config {config}"


def by_name(name: str = DEFAULT) -> Model:
    """The newest version of the model ``name``, or the exact one of ``NAME-VERSION``.

    Raises ModelError.
    """
    models = installed()
    for model in models:
        if name in (model.name, f"{model.name}-{model.version}"):
            return model
    if name in REFERENCE:
        raise ModelError(f"{name} is untrained: {remedy(name)}")
    known = ", ".join(sorted({model.name for model in models})) or "none"
    raise ModelError(f"no model {name!r} is installed (installed: {known})")


def by_choice(name: str, tune: str) -> tuple[Model, int | None]:
    """The model to encode with, and how many channels its name stands for, if it says.

    Args:
        name: as for ``by_name``, or one of ``PREFIXES``: that many channels of the default.
        tune: one of ``TUNES``.
    Raises ModelError.
    """
    channels = PREFIXES.get(name)
    return by_name((DEFAULT if channels else name) + TUNES[tune]), channels


def by_id(model_id: str) -> Model:
    """The model with this content hash, or beginning of one. Raises ModelError."""
    for model in installed():
        if model.content_hash.startswith(model_id):
            return model
    raise ModelError(
        f"the model {model_id} that wrote this stream is not installed; "
        f"install its nic release, or name its folder in {PATH_VARIABLE}"
    )


def _read_all() -> Iterator[Model]:
    further = os.environ.get(PATH_VARIABLE, "")
    for root in (ZOO, *(Path(p) for p in further.split(os.pathsep) if p)):
        for path in sorted(root.glob("*/model.json")):
            yield from_folder(path.parent)
