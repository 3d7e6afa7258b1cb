"""What the package installs below a prefix, in a folder as pip would put it."""

import shutil
import tomllib
from pathlib import Path

from places import ROOT


def data_files():
    """The files that pip installs, by their folder below the prefix."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = table["tool"]["setuptools"]["data-files"]
    return {
        folder: [str(path.relative_to(ROOT)) for glob in globs for path in sorted(ROOT.glob(glob))]
        for folder, globs in listed.items()
    }


def install_shared(prefix):
    """Copy the data files below ``prefix``."""
    for folder, paths in data_files().items():
        target = Path(prefix) / folder
        target.mkdir(parents=True, exist_ok=True)
        for path in paths:
            shutil.copy(ROOT / path, target)
