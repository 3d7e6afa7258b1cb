"""A decoded picture: pixels, alpha and metadata; and the number of bits of its samples."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nic.errors import CorruptError
from nic.picture.metadata import NOTHING, Metadata
from nic.types import Pixels, depth_of, peak

STEP = 257  # 65535 / 255: the distance of two 8-bit samples in 16 bits


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        pixels: uint8 or uint16 (H, W, 3), or (H, W) for grey; 0 is black, 255 or 65535 is white.
        alpha: (H, W) of the type of ``pixels``, from 0 for transparent to 255 or 65535 for opaque;
            None if all pixels are opaque.
        metadata: ICC profile, EXIF, XMP and declared colour.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    metadata: Metadata = NOTHING

    @property
    def samples(self) -> Pixels:
        """Pixels and alpha in one array: (H, W) or (H, W, 2..4), alpha last."""
        return self.pixels if self.alpha is None else np.dstack([self.pixels, self.alpha])

    @classmethod
    def of_samples(cls, samples: Pixels, metadata: Metadata = NOTHING) -> Self:
        """The picture of samples, uint8 or uint16 (H, W) or (H, W, C), C of 1 to 4, alpha last."""
        if samples.ndim == 2:
            return cls(samples, None, metadata)
        count = samples.shape[2]
        alpha = simplified(samples[..., -1]) if count in (2, 4) else None
        return cls(samples[..., 0] if count < 3 else samples[..., :3], alpha, metadata)


def simplified(alpha: Pixels | None) -> Pixels | None:
    """The alpha plane; None if it is opaque everywhere."""
    return None if alpha is None or alpha.size == 0 or alpha.min() == peak(alpha) else alpha


def flattened(picture: Picture) -> Pixels:
    """The pixels of the picture blended over white."""
    if picture.alpha is None:
        return picture.pixels
    alpha = picture.alpha if picture.pixels.ndim == 2 else picture.alpha[..., None]
    white, kind = peak(picture.pixels), picture.pixels.dtype
    alpha = alpha.astype(np.uint16 if white == 255 else np.uint32)
    over = picture.pixels * alpha + white * (white - alpha)
    return ((over + white // 2) // white).astype(kind)


def with_depth(pixels: Pixels, depth: int) -> Pixels:
    """The pixels, or the alpha plane, with samples of ``depth`` bits, 8 or 16; 8 by rounding."""
    if depth_of(pixels) == depth:
        return pixels
    if depth == 16:
        return pixels.astype(np.uint16) * np.uint16(STEP)
    return ((pixels.astype(np.uint32) + STEP // 2) // STEP).astype(np.uint8)


def scaled(values: NDArray[Any], most: int) -> Pixels:
    """Samples of 0 to ``most`` with the full range of uint8, or of uint16 if ``most`` is above 255.

    Raises: CorruptError for a sample that is negative or above ``most``.
    """
    if values.size and not (values.min() >= 0 and values.max() <= most):
        raise CorruptError(f"the picture is damaged: it has samples above {most}")
    kind = np.uint8 if most <= 255 else np.uint16
    white = int(np.iinfo(kind).max)
    if most != white:
        values = (values.astype(np.uint32) * white + most // 2) // most
    return np.ascontiguousarray(values, kind)


def of_depth(picture: Picture, depth: int) -> Picture:
    """The picture with samples of ``depth`` bits, 8 or 16, in pixels and alpha."""
    alpha = None if picture.alpha is None else with_depth(picture.alpha, depth)
    return Picture(with_depth(picture.pixels, depth), alpha, picture.metadata)


def turned(plane: Pixels, orientation: int) -> Pixels:
    """A plane (H, W[, C]) turned upright, given its orientation in EXIF (0 or 1: upright)."""
    if orientation in (3, 4, 7):
        plane = plane[::-1]
    if orientation in (2, 3, 7):
        plane = plane[:, ::-1]
    if orientation in (5, 6, 7, 8):
        plane = plane.swapaxes(0, 1)
    if orientation == 6:
        plane = plane[:, ::-1]
    if orientation == 8:
        plane = plane[::-1]
    return np.ascontiguousarray(plane)
