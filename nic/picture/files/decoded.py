"""What every reader of a format gives: samples at their full depth, and what belongs to them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nic.picture.metadata import NOTHING, Metadata
from nic.picture.pixels import scaled
from nic.types import Pixels, peak


@dataclass(frozen=True)
class Decoded:
    """A picture as its file has it.

    Attributes:
        pixels: uint8 or uint16 (H, W) or (H, W, 3); the greatest number is white.
        alpha: (H, W) of the same type, the greatest number is opaque; None if there is none.
        metadata: upright, as in a record.
        turn: the orientation of the pixels, 1 to 8 as in EXIF, or 0.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    metadata: Metadata = NOTHING
    turn: int = 0


def full_range(values: NDArray[Any], bits: int) -> Pixels:
    """Pixels of 1 to 16 bits, scaled to all of uint8 if they fit into it, or of uint16."""
    most = (1 << bits) - 1
    return scaled(np.minimum(values, most), most)


def unmultiplied(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Pixels (H, W[, 3]) that were multiplied by alpha (H, W), divided by it again, rounded."""
    white = peak(pixels)
    by = np.maximum(alpha if pixels.ndim == 2 else alpha[..., None], 1).astype(np.uint32)
    wide = (pixels.astype(np.uint32) * white + by // 2) // by
    return np.asarray(np.minimum(wide, white), pixels.dtype)


def with_alpha_last(samples: Pixels, metadata: Metadata = NOTHING, turn: int = 0) -> Decoded:
    """The picture of samples (H, W) or (H, W, C), C of 1 to 4, alpha last if C is even."""
    if samples.ndim == 2:
        return Decoded(samples, None, metadata, turn)
    depth = samples.shape[2]
    pixels = samples[..., 0] if depth < 3 else samples[..., :3]
    return Decoded(pixels, samples[..., -1] if depth in (2, 4) else None, metadata, turn)
