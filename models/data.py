"""Training pictures: from tar shards, or from any folder of pictures."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray

SUFFIXES = {".png", ".webp", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".ppm"}


def load_pictures(root: Path, smallest: int) -> list[NDArray[np.uint8]]:
    """Every picture under ``root`` (files, and members of ``*.tar``) as uint8 (H, W, 3).

    Pictures with a side below ``smallest`` pixels are left out. Sorted by name, so that a
    seed gives the same crops everywhere. Raises FileNotFoundError if nothing is left.
    """
    pictures = [rgb for data in _members(root) if min((rgb := _rgb(data)).shape[:2]) >= smallest]
    if not pictures:
        raise FileNotFoundError(f"{root}: no picture of at least {smallest} pixels a side")
    return pictures


def _members(root: Path) -> Iterator[bytes]:
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            yield path.read_bytes()
        elif path.suffix == ".tar":
            with tarfile.open(path) as shard:
                for member in sorted(shard.getmembers(), key=lambda m: m.name):
                    if Path(member.name).suffix.lower() in SUFFIXES:
                        stream = shard.extractfile(member)
                        assert stream is not None  # a regular file
                        yield stream.read()


def _rgb(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(iio.imread(data, plugin="pillow", mode="RGB"), dtype=np.uint8)
