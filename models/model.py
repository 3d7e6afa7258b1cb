"""One installed model, read from its folder without loading a network.

A folder ``NAME-VERSION`` has

    model.json          the definition: transform, gains, steps, prediction, and the SHA-256 of
                        weights.npy and prior.npz
    weights.npy         the weights of both transforms (see nic.models.weights)
    prior.npz           integer tables for the entropy coder (see nic.models.tables)
    thumbnail.npy       the map from leading latents to mean colours (see Model.thumbnail)
    card.json           training and measurements

The last two are not part of the model's identity, so a model that was released can get them later.

The content hash is the SHA-256 of model.json. A stream stores its first 8 digits. Changed weights
get a new version, so that an old file is never decoded with new weights.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nic.errors import ModelError
from nic.models import weights
from nic.models.interpolation import geometric
from nic.models.tables import Prior

# Reach of the reference's analysis in pixels: 2 of the first layer, 4 of the second, 6 * 4 of the
# blocks and 8 of the last layer, together 38, which is less than 5 latents. Reach of its synthesis:
# one latent, then 6 * 4 pixels of the blocks, 4 and 2.
REFERENCE_REACH = (5, 5)
THUMBNAIL = "thumbnail.npy"
MS_SSIM = "-ms-ssim"  # end of the name of a model that was trained for MS-SSIM
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
        """Number of the version; it grows with every retraining."""
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
        """Whether the model is of the reference family: see ``nic.models.dcn``."""
        return self.definition.get("family") == "dcn"

    @property
    def reach(self) -> tuple[int, int]:
        """How far each transform sees, in latents: (analysis, synthesis).

        Every block at latent resolution has a 3x3 kernel, so it sees one latent further. So do
        every block at half resolution and the last layer, but there a latent is 4 values wide.
        """
        if self.is_reference:
            return REFERENCE_REACH
        shape = self.definition["transform"]
        half = -(-(int(shape["half_blocks"]) + 1) // 4)
        return int(shape["analysis_blocks"]), int(shape["synthesis_blocks"]) + half

    @property
    def default_quality(self) -> float:
        """The quality that is used when none is given."""
        return float(self.definition["default_quality"])

    @property
    def predicted(self) -> tuple[int, ...]:
        """Channels that are predicted from decoded neighbours."""
        return tuple(self.definition["predicted"])

    @property
    def codebook(self) -> tuple[int, int]:
        """Least and greatest symbol."""
        low, high = self.definition["codebook"]
        return int(low), int(high)

    @property
    def has_excess(self) -> bool:
        """Whether the model keeps values beyond the codebook; if not, they are clipped."""
        return bool(self.definition.get("excess"))

    @property
    def has_prior(self) -> bool:
        """Whether the entropy coder has tables of this model."""
        return "prior.npz" in self.definition["files"]

    def gain(self, quality: float) -> NDArray[np.float32]:
        """Factors float32 (C,) of latents before rounding, at a quality in 1..100."""
        return geometric(self._gains, quality)

    def step(self, quality: float) -> NDArray[np.float32]:
        """Factors float32 (C,) of rounded latents, which give latents back."""
        return geometric(self._steps, quality)

    def tradeoff(self, quality: float) -> float:
        """Bits per pixel that one unit of MSE of [0, 1] pixels is worth, at a quality."""
        lambdas = np.array(self.definition["lambdas"])[:, None]
        return 255**2 * float(geometric(lambdas, quality)[0])

    @property
    def measure(self) -> str:
        """The distortion that the model was trained for, a key of ``distortion.measures``."""
        usual = "ms-ssim" if self.name.endswith(MS_SSIM) else "mse"
        return str(self.definition.get("distortion", usual))  # earlier definitions do not say

    def read(self, name: str) -> bytes:
        """Content of one of the model's files. Raises ModelError if it is missing or damaged."""
        path = self.folder / name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(f"model {self.name}: {error}") from error
        if hashlib.sha256(data).hexdigest() != self.definition["files"].get(name):
            raise ModelError(f"model {self.name}: {path} is damaged; reinstall it")
        return data

    def weights(self, transform: str) -> dict[str, NDArray[np.float32]]:
        """The weights of the transform "analysis" or "synthesis", by name. Raises ModelError."""
        try:
            return weights.of_transform(self.read(weights.NAME), transform)
        except ValueError as error:
            path = self.folder / weights.NAME
            raise ModelError(f"{path} is not a file of weights: {error}") from error

    @cached_property
    def prior(self) -> Prior:
        """The entropy coder's tables. Raises ModelError."""
        return Prior.load(BytesIO(self.read("prior.npz")))

    @cached_property
    def thumbnail(self) -> NDArray[np.float32]:
        """The linear map from the first K latents of a block to its mean colour.

        float32 (K + 1, 3): a row for each latent, and last the constant; the columns are red,
        green and blue, from 0 to 1.

        Raises: ModelError when the model has none, or a damaged one.
        """
        path = self.folder / THUMBNAIL
        try:
            found = np.load(BytesIO(path.read_bytes()), allow_pickle=False)
        except FileNotFoundError:
            remedy = "make it with scripts/export.py --thumbnails"
            raise ModelError(f"model {self.name} has no {THUMBNAIL}; {remedy}") from None
        except (OSError, ValueError, EOFError) as error:
            raise ModelError(f"{path} cannot be read: {error}") from error
        shapes = {(count + 1, 3) for count in range(1, self.channels + 1)}
        right = found.dtype == np.float32 and found.shape in shapes
        if not right or not np.isfinite(found).all():
            raise ModelError(f"{path} is damaged: it is no map of latents to colours")
        return np.asarray(found, np.float32)

    @cached_property
    def card(self) -> dict[str, Any]:
        """The content of card.json; empty when there is none. Raises ModelError."""
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
    """Read every field, so that a wrong type or size raises one of the errors caught above."""
    numbers = (model.version, model.channels, model.reach, model.default_quality, model.codebook)
    json.dumps([model.name, *numbers, sorted(model.predicted), dict(model.definition["files"])])
    points = len(model.definition["lambdas"])
    for table in (model.gain(50), model.step(50)):
        if table.shape != (model.channels,) or not np.isfinite(table).all():
            raise ValueError("gains and steps are one number for each channel")
    if points != len(model.definition["gains"]) or not model.tradeoff(50) > 0:
        raise ValueError("lambdas are one number for each row of gains")
