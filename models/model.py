"""One model: what its folder says, read without any network.

A folder ``NAME-VERSION`` has

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
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nic.errors import ModelError
from nic.models.tables import Prior

# Analysis: 2 pixels of the first layer, 4 of the second, 6 * 4 of the blocks and 8 of the last
# are 38, less than 5 latents. Synthesis: one latent, 6 * 4 pixels of the blocks, 4 and 2.
REFERENCE_REACH = (5, 5)
MS_SSIM = "-ms-ssim"  # end of the name of a model that was trained for it
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
        usual = "ms-ssim" if self.name.endswith(MS_SSIM) else "mse"
        return str(self.definition.get("distortion", usual))  # earlier definitions do not say

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
        """Training and measurements; empty when the model has no card. Raises ModelError."""
        path = self.folder / "card.json"
        try:
            return dict(json.loads(path.read_bytes())) if path.exists() else {}
        except (OSError, TypeError, ValueError) as error:
            raise ModelError(f"{path} cannot be read: {error}") from error

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
    """Read the model in ``folder``. Raises ModelError when its definition cannot be used."""
    path = folder / "model.json"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    try:
        definition = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: {error}") from error
    fields = set(definition) if isinstance(definition, dict) else set()
    if missing := FIELDS - fields:
        raise ModelError(f"{path} is damaged: it lacks {', '.join(sorted(missing))}")
    model = Model(folder, definition, hashlib.sha256(data).hexdigest())
    try:
        _use(model)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelError(f"{path} is damaged: a field has a wrong value: {error}") from error
    return model


def _use(model: Model) -> None:
    """Read every field once. Raises one of several errors for a value of a wrong type or size."""
    numbers = (model.version, model.channels, model.reach, model.default_quality, model.codebook)
    json.dumps([model.name, *numbers, sorted(model.predicted), dict(model.definition["files"])])
    points = len(model.definition["lambdas"])
    for table in (model.gain(50), model.step(50)):
        if table.shape != (model.channels,) or not np.isfinite(table).all():
            raise ValueError("gains and steps are one number for each channel")
    if points != len(model.definition["gains"]) or not model.tradeoff(50) > 0:
        raise ValueError("lambdas are one number for each row of gains")
