"""Smaller pictures: averages, and resampling to a given size, both weighted by transparency.

A transparent pixel has no colour that counts. So colours are multiplied by alpha before they are
averaged, and divided by the average alpha afterwards.
"""

from dataclasses import dataclass

import numpy as np

from nic.picture.pixels import Picture
from nic.types import STRIDE, Floats, Pixels, kind_of

SCALES = (8, 16, 32)  # pixels of the picture for one pixel of the thumbnail, each way
LEAST = np.float32(2**-20)  # weight of a pixel that is not visible; its colour counts if no other


@dataclass(frozen=True)
class Shrink:
    """How small a thumbnail is.

    Attributes:
        scale: one of ``SCALES``; without a ``size``, pixels of the picture for one pixel.
        size: the most pixels of the longest side. A thumbnail is never larger than 1/8.
    """

    scale: int = STRIDE
    size: int | None = None

    def scale_of(self, longest: int) -> int:
        """The scale of the averages, which may be resampled later; ``longest``: side in pixels."""
        if self.size is None:
            return self.scale
        enough = [scale for scale in SCALES if -(-longest // scale) >= self.size]
        return max(enough, default=STRIDE)


@dataclass(frozen=True)
class Planes:
    """A picture as planes of float32, 0 to 1: colours (1 or 3, h, w), and alpha (h, w) if any."""

    colours: Floats
    alpha: Floats | None = None

    def picture(self, depth: int) -> Picture:
        """The picture with samples of ``depth`` bits, 8 or 16."""
        pixels = _samples(self.colours, depth)
        upright = pixels[0] if len(pixels) == 1 else np.ascontiguousarray(np.moveaxis(pixels, 0, 2))
        return Picture(upright, None if self.alpha is None else _samples(self.alpha, depth))


def _samples(values: Floats, depth: int) -> Pixels:
    """Samples of ``depth`` bits of values that should be 0 to 1."""
    kind = kind_of(depth)
    return np.asarray(np.rint(values.clip(0, 1) * np.float32(np.iinfo(kind).max)), kind)


def shrunk(planes: Planes, width: int, height: int, how: Shrink) -> Planes:
    """Planes at 1/8 of a picture of ``width`` x ``height`` pixels, made as small as asked for.

    Without a ``size``, or if they are small enough, they are not resampled.
    """
    longest = max(width, height)
    planes = averaged(planes, how.scale_of(longest) // STRIDE)
    if how.size is None or max(planes.colours.shape[1:]) <= how.size:
        return planes
    columns, rows = (max(1, round(how.size * side / longest)) for side in (width, height))
    return resampled(planes, columns, rows)


def averaged(planes: Planes, factor: int) -> Planes:
    """Averages of cells of ``factor`` x ``factor`` pixels; cells at the border may have fewer.

    The sums are in a fixed order of float32, so that they are the same on every machine.
    """
    if factor == 1:
        return planes
    weight = _weight(planes)
    colours = np.stack([_sums(plane * weight, factor) for plane in planes.colours])
    colours /= _sums(weight, factor)
    if planes.alpha is None:
        return Planes(colours)
    count = _sums(np.ones_like(planes.alpha), factor)
    return Planes(colours, _sums(planes.alpha, factor) / count)


def resampled(planes: Planes, columns: int, rows: int) -> Planes:
    """The planes resampled to ``rows`` x ``columns`` pixels by Pillow (Lanczos)."""
    weight = _weight(planes)
    below = np.maximum(_resampled(weight, columns, rows), LEAST)
    colours = np.stack([_resampled(p * weight, columns, rows) for p in planes.colours])
    colours /= below
    alpha = planes.alpha
    return Planes(colours, None if alpha is None else _resampled(alpha, columns, rows))


def _weight(planes: Planes) -> Floats:
    """How much the colour of every pixel counts, (h, w)."""
    if planes.alpha is None:
        return np.ones(planes.colours.shape[1:], np.float32)
    return np.maximum(planes.alpha, LEAST)


def _sums(plane: Floats, factor: int) -> Floats:
    """Sums of cells (h, w) -> (h / factor, w / factor), rounded up; ``factor`` a power of 2."""
    while factor > 1:
        plane = np.pad(plane, [(0, side % 2) for side in plane.shape])
        pairs = plane[0::2] + plane[1::2]
        plane, factor = pairs[:, 0::2] + pairs[:, 1::2], factor // 2
    return plane


def _resampled(plane: Floats, columns: int, rows: int) -> Floats:
    from PIL import Image

    small = Image.fromarray(plane).resize((columns, rows), Image.Resampling.LANCZOS)
    return np.asarray(small, np.float32)
