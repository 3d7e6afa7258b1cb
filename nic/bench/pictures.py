"""The pictures of a benchmark, as every codec gets them."""

import logging
from collections.abc import Sequence
from pathlib import Path

from nic.errors import NicError, UsageError
from nic.picture import pixels, readers
from nic.transform.tiles import as_rgb
from nic.types import Pixels

log = logging.getLogger("nic")

SUFFIXES = (".png", ".ppm", ".webp", ".tif", ".tiff", ".bmp")  # always or possibly lossless
LEAST_SIDE = 176  # pixels; MS-SSIM needs as many


def in_folders(paths: Sequence[Path]) -> list[Path]:
    """The files among ``paths``, and the pictures with these suffixes in folders, by name.

    Raises: UsageError when there are none.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else []
        found += [p for p in inside if p.suffix.lower() in SUFFIXES] if path.is_dir() else [path]
    if not found:
        raise UsageError(f"no pictures ({' '.join(SUFFIXES)}) in {paths[0]}")
    return found


def load(path: Path) -> Pixels:
    """The pixels of a picture file, uint8 or uint16 (H, W, 3): grey as RGB, no alpha.

    A transparent picture is blended over white, with a note. Otherwise the colour of invisible
    pixels would be measured.

    Raises: NicError, which names the file.
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
    """The pictures that can be measured, and the errors of the others."""
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
