"""Finding installed models by name or content hash.

A model is a folder ``NAME-VERSION`` (see ``nic.models.model``) in ``zoo`` beside this file, or in
one of the folders of NIC_MODEL_PATH. A broken folder does not hide other models.
"""

import errno
import logging
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nic.errors import ModelError
from nic.models.model import MS_SSIM
from nic.models.model import Model as Model
from nic.models.model import from_folder as from_folder

log = logging.getLogger("nic")

ZOO = Path(__file__).parent / "zoo"
PATH_VARIABLE = "NIC_MODEL_PATH"  # further folders of models, separated like PATH
DEFAULT = "light-visual"
# The reference family (see nic.models.dcn): latent channels by name. Its models are listed even
# when their weights are not installed.
REFERENCE = {"dcn-4k": 16, "dcn-8k": 32, "dcn-16k": 64}
# Names for the first channels of the default model. The names count latents of 128x128 pixels.
PREFIXES = {"4k": 16, "8k": 32, "16k": 64}
# The end of a model's name, by the measure that it was trained for.
TUNES = {"visual": "-visual", "psnr": "", "ms-ssim": MS_SSIM}


@dataclass(frozen=True)
class Broken:
    """A folder whose model cannot be used, and the reason."""

    folder: Path
    error: ModelError

    def may_be(self, name: str) -> bool:
        """Whether the folder's name is ``name``, with or without its version."""
        return name in (self.folder.name, re.sub("-[0-9]+$", "", self.folder.name))


def installed() -> list[Model]:
    """Every installed model that can be used, sorted by name, newest version first."""
    return _in_order(_read_all())


def _in_order(every: Iterable[Model | Broken]) -> list[Model]:
    models = {found.content_hash: found for found in every if isinstance(found, Model)}
    return sorted(models.values(), key=lambda model: (model.name, -model.version))


def broken() -> list[Broken]:
    """Every folder whose model cannot be used, in the order of the search."""
    return [found for found in _read_all() if isinstance(found, Broken)]


def untrained() -> dict[str, int]:
    """The reference models without installed weights: latent channels by name."""
    names = {model.name for model in installed()}
    return {name: channels for name, channels in REFERENCE.items() if name not in names}


def remedy(name: str) -> str:
    """How to get an untrained model, in one clause."""
    config = f"models/configs/{name}.toml"
    return f"no weights are shipped; train them with scripts/train.py --config {config}"


def by_name(name: str = DEFAULT) -> Model:
    """The newest version of the model ``name``, or the version of ``NAME-VERSION``.

    A broken folder that may hold this model is logged.

    Raises: ModelError when there is no such model that can be used.
    """
    every = list(_read_all())
    models = _in_order(every)
    damaged = [each.error for each in every if isinstance(each, Broken) and each.may_be(name)]
    for model in models:
        if name in (model.name, f"{model.name}-{model.version}"):
            for error in damaged:
                log.warning("%s; %s-%d is used instead", error, model.name, model.version)
            return model
    if damaged:
        raise damaged[0]
    if name in REFERENCE:
        raise ModelError(f"{name} is untrained: {remedy(name)}")
    known = ", ".join(sorted({model.name for model in models})) or "none"
    raise ModelError(f"no model {name!r} is installed (installed: {known})")


def by_choice(name: str, tune: str | None = None) -> tuple[Model, int | None]:
    """The model to encode with, and how many of its channels ``name`` stands for; None: all.

    Args:
        name: as for ``by_name``; or one of ``PREFIXES``, for channels of the default model.
        tune: one of ``TUNES``, for the variant of this model that was trained for it; None for the
            model as it is named.
    Raises: ModelError.
    """
    channels = PREFIXES.get(name)
    name = DEFAULT if channels else name
    return by_name(name if tune is None else _family(name) + TUNES[tune]), channels


def _family(name: str) -> str:
    """The name without the end of a variant: light, for light-visual."""
    for end in filter(None, TUNES.values()):
        name = name.removesuffix(end)
    return name


def by_id(model_id: str) -> Model:
    """The model whose content hash begins with ``model_id``. Raises ModelError."""
    for model in installed():
        if model.content_hash.startswith(model_id):
            return model
    hint = f"install its nic release, or name its folder in {PATH_VARIABLE}"
    if damaged := broken():
        hint = f"perhaps {' and '.join(str(found.error) for found in damaged)}"
    raise ModelError(f"the model {model_id} that wrote this stream is not installed; {hint}")


def _read_all() -> Iterator[Model | Broken]:
    further = os.environ.get(PATH_VARIABLE, "").split(os.pathsep)
    for root in dict.fromkeys((ZOO, *(Path(path) for path in further if path))):
        for folder in _folders(root):
            try:
                yield from_folder(folder)
            except ModelError as error:
                yield Broken(folder, error)


def _folders(root: Path) -> list[Path]:
    """The folders in ``root`` with a model.json, and folders that cannot be looked into."""
    try:
        return sorted(filter(_may_hold_a_model, root.iterdir()))
    except OSError:  # a folder of the search path need not exist
        return []


def _may_hold_a_model(folder: Path) -> bool:
    try:
        (folder / "model.json").lstat()
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ENOTDIR)
    return True
