"""A decoded picture: pixels, alpha and metadata."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from nic.picture.metadata import NOTHING, Metadata
from nic.types import Pixels


@dataclass(frozen=True)
class Picture:
    """Pixels, uint8 (H, W, 3) or (H, W) for grey, and what else a file says.

    ``alpha`` is uint8 (H, W), 255 opaque; None when all is.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    metadata: Metadata = NOTHING

    @property
    def samples(self) -> Pixels:
        """uint8 (H, W) or (H, W, 2..4), alpha last."""
        return self.pixels if self.alpha is None else np.dstack([self.pixels, self.alpha])

    @classmethod
    def of_samples(cls, samples: Pixels, metadata: Metadata = NOTHING) -> Self:
        """The picture of samples (H, W) or (H, W, C), C of 1 to 4, alpha last."""
        if samples.ndim == 2:
            return cls(samples, None, metadata)
        depth = samples.shape[2]
        alpha = simplified(samples[..., -1]) if depth in (2, 4) else None
        return cls(samples[..., 0] if depth < 3 else samples[..., :3], alpha, metadata)


def simplified(alpha: Pixels | None) -> Pixels | None:
    """None for an alpha plane that is opaque everywhere."""
    return None if alpha is None or alpha.size == 0 or alpha.min() == 255 else alpha


def flattened(picture: Picture) -> Pixels:
    """Pixels of the picture over white."""
    if picture.alpha is None:
        return picture.pixels
    alpha = picture.alpha if picture.pixels.ndim == 2 else picture.alpha[..., None]
    over = picture.pixels * alpha.astype(np.uint16) + 255 * (255 - alpha.astype(np.uint16))
    return ((over + 127) // 255).astype(np.uint8)
