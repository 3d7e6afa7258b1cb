"""A decoded picture: pixels, alpha and metadata."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from nic.picture.metadata import NOTHING, Metadata
from nic.types import Pixels


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        pixels: uint8 (H, W, 3), or (H, W) for grey.
        alpha: uint8 (H, W), 0 transparent to 255 opaque; None if all pixels are opaque.
        metadata: ICC profile, EXIF and XMP.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    metadata: Metadata = NOTHING

    @property
    def samples(self) -> Pixels:
        """Pixels and alpha in one array: uint8 (H, W) or (H, W, 2..4), alpha last."""
        return self.pixels if self.alpha is None else np.dstack([self.pixels, self.alpha])

    @classmethod
    def of_samples(cls, samples: Pixels, metadata: Metadata = NOTHING) -> Self:
        """The picture of samples, uint8 (H, W) or (H, W, C) with C of 1 to 4, alpha last."""
        if samples.ndim == 2:
            return cls(samples, None, metadata)
        depth = samples.shape[2]
        alpha = simplified(samples[..., -1]) if depth in (2, 4) else None
        return cls(samples[..., 0] if depth < 3 else samples[..., :3], alpha, metadata)


def simplified(alpha: Pixels | None) -> Pixels | None:
    """The alpha plane; None if it is opaque everywhere."""
    return None if alpha is None or alpha.size == 0 or alpha.min() == 255 else alpha


def flattened(picture: Picture) -> Pixels:
    """The pixels of the picture blended over white."""
    if picture.alpha is None:
        return picture.pixels
    alpha = picture.alpha if picture.pixels.ndim == 2 else picture.alpha[..., None]
    over = picture.pixels * alpha.astype(np.uint16) + 255 * (255 - alpha.astype(np.uint16))
    return ((over + 127) // 255).astype(np.uint8)
