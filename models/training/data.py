"""Training pictures: from tar shards, or from any folder of pictures.

``scripts/prepare.py`` writes shards. It and this module refuse the Kodak pictures, on which models
are measured.
"""

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray

from nic.errors import UsageError

SUFFIXES = {".png", ".webp", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".ppm"}
# For each picture of the Kodak suite the start of the SHA-256 of its histograms (``is_kodak``).
KODAK_SIZE = {512, 768}
KODAK_REFUSED = "a picture of the Kodak suite, which models are measured on"
# fmt: off
KODAK = frozenset((
    "cd4ae3f3129b7182", "19f8c2b0c8cc69cc", "55b686522077daf5", "b030df833c91e05c",
    "d69851819b45680b", "6db00d91907eca06", "fe9b98503c580c2a", "173429c859c01d8d",
    "e79f3c173ee6a073", "98cc273d41fc9205", "4b1628b935c80747", "528ed1c11b2f08f6",
    "c7f926f889dfed71", "60bf81aaea2c255c", "22c49ed6cdd1fea8", "ec3c500a342aed52",
    "0a2e5c934ca11e83", "60095f9ac4fb8469", "2c600b473e38abe8", "508a8a9af58391f6",
    "c90f3ef42ac003eb", "a0bb8fced3b9c9b7", "2a17877c631717f0", "923fd71635311133",
))
# fmt: on


def load_pictures(root: Path, smallest: int) -> list[NDArray[np.uint8]]:
    """Every picture under ``root`` (files, and members of ``*.tar``) as uint8 (H, W, 3).

    Pictures with a side below ``smallest`` pixels are left out. The others are sorted by name, so
    that a seed gives the same crops everywhere.

    Raises: UsageError if no picture is left, or for a picture of the Kodak suite.
    """
    pictures = [rgb for data in _members(root) if min((rgb := _rgb(data)).shape[:2]) >= smallest]
    if not pictures:
        raise UsageError(f"{root}: no picture of at least {smallest} pixels a side")
    if any(map(is_kodak, pictures)):
        raise UsageError(f"{root}: {KODAK_REFUSED}")
    return pictures


def is_kodak(pixels: NDArray[np.uint8]) -> bool:
    """Whether pixels, uint8 (H, W, 3), are a picture of the Kodak suite.

    The histograms of the colours are compared. So a picture is found even if it is turned or
    mirrored, but not if it is scaled, cropped or coded with loss.
    """
    if set(pixels.shape[:2]) != KODAK_SIZE:
        return False
    histograms = [np.bincount(pixels[..., c].ravel(), minlength=256) for c in range(3)]
    return hashlib.sha256(np.array(histograms, "<u4").tobytes()).hexdigest()[:16] in KODAK


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
