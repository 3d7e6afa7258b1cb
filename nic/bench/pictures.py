"""The pictures that are given to measure with, as every codec gets them."""

import logging
from collections.abc import Sequence
from pathlib import Path

from nic.errors import NicError, UsageError
from nic.picture import pixels, readers
from nic.transform.strips import as_rgb
from nic.types import Pixels

log = logging.getLogger("nic")

SUFFIXES = (".png", ".ppm", ".webp", ".tif", ".tiff", ".bmp")  # lossless, or may be
LEAST_SIDE = 176  # pixels that MS-SSIM needs


def in_folders(paths: Sequence[Path]) -> list[Path]:
    """Files as they are, and all lossless pictures of folders by name. Raises UsageError."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else []
        found += [p for p in inside if p.suffix.lower() in SUFFIXES] if path.is_dir() else [path]
    if not found:
        raise UsageError(f"no pictures ({' '.join(SUFFIXES)}) in {paths[0]}")
    return found


def load(path: Path) -> Pixels:
    """What every codec is given of a picture file, uint8 (H, W, 3): grey as RGB, no alpha.

    Transparent parts are shown over white, with a note: what their colour is where nobody sees
    it would be measured otherwise. Raises NicError, which names the file.
    """
    try:
        found = readers.read(path.read_bytes(), keep="none")
    except OSError as error:
        raise NicError(f"{path}: {error.strerror}") from error
    except NicError as error:
        error.args = (f"{path}: {error}",)
        raise
    if found.alpha is not None:
        log.warning("note: %s: transparency is flattened over white", path)
    return as_rgb(pixels.flattened(found))


def sound(paths: Sequence[Path]) -> tuple[list[Path], list[NicError]]:
    """The pictures that can be measured, and what is wrong with the others."""
    found: list[Path] = []
    failures: list[NicError] = []
    for path in paths:
        try:
            if min(load(path).shape[:2]) < LEAST_SIDE:
                raise UsageError(f"{path}: MS-SSIM needs sides of {LEAST_SIDE} pixels or more")
            found.append(path)
        except NicError as error:
            failures.append(error)
    return found, failures
