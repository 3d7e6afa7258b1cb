"""The distortion of a decoded picture, measured while it is decoded strip by strip."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nic.errors import UsageError
from nic.picture import metrics, perceptual
from nic.types import Pixels

# SSIMULACRA 2 of a larger picture is measured in tiles, because it takes 520 bytes per pixel.
# 1920x1080 has as many pixels as a tile, and is measured whole.
TILE = 1440  # pixels a side


class Strip(NamedTuple):
    """Some rows of a picture.

    Attributes:
        original, decoded: (n, W, 3) or (n, W), both of 8 or both of 16 bits.
        visible: (n, W), the pixels whose distortion counts; None for all.
    """

    original: Pixels
    decoded: Pixels
    visible: NDArray[np.bool_] | None = None


def psnr(strips: Iterable[Strip]) -> float:
    """PSNR in dB of the samples of all visible pixels."""
    error, samples = 0.0, 0
    for original, decoded, visible in strips:
        if visible is not None:
            original, decoded = original[visible], decoded[visible]
        error += metrics.squared_error(original, decoded)
        samples += original.size
    return metrics.psnr_of(error / samples)


def ssimulacra2(strips: Iterable[Strip], width: int, height: int) -> float:
    """SSIMULACRA 2; pixels that are not visible count as equal.

    A picture of more than ``TILE`` * ``TILE`` pixels is cut into tiles of nearly equal size. Its
    score is the mean of theirs, weighted by their pixels. The tiles do not depend on the strips.

    Args: strips: from top to bottom.
    """
    tall, wide = [0, height], [0, width]
    if width * height > TILE * TILE:
        tall, wide = _cuts(height), _cuts(width)
    total = 0.0
    for original, decoded in _bands(strips, [bottom - top for top, bottom in pairwise(tall)]):
        for left, right in pairwise(wide):
            score = perceptual.ssimulacra2(original[:, left:right], decoded[:, left:right])
            total += score * len(original) * (right - left)
    return total / (width * height)


def check_sides(width: int, height: int) -> None:
    """Raises UsageError when a picture is too small for SSIMULACRA 2."""
    if min(width, height) < perceptual.LEAST_SIDE:
        raise UsageError(
            f"SSIMULACRA 2 needs sides of {perceptual.LEAST_SIDE} pixels or more, and this picture "
            f"has {width}x{height}"
        )


def _cuts(length: int) -> list[int]:
    """Where a side is cut: 0, ..., ``length``, with nearly equal distances of at most ``TILE``."""
    count = -(-length // TILE)
    return [length * i // count for i in range(count + 1)]


def _bands(strips: Iterable[Strip], heights: Sequence[int]) -> Iterator[tuple[Pixels, Pixels]]:
    """Yield the rows of the strips in bands of these heights: original and decoded.

    In pixels that are not visible, the decoded colour is the original one.
    """
    left = (_with_equal_hidden(strip) for strip in strips)
    original, decoded = next(left)
    for height in heights:
        while len(original) < height:
            more = next(left)
            original = np.concatenate([original, more[0]])
            decoded = np.concatenate([decoded, more[1]])
        yield original[:height], decoded[:height]
        original, decoded = original[height:], decoded[height:]


def _with_equal_hidden(strip: Strip) -> tuple[Pixels, Pixels]:
    original, decoded, visible = strip
    if visible is not None:
        seen = visible if decoded.ndim == 2 else visible[..., None]
        decoded = np.where(seen, decoded, original)
    return original, decoded
