"""Strips of pixels with context, from which better latents of a picture are searched."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nic.picture.rows import Rows
from nic.transform import strips
from nic.transform.backends import Backend
from nic.types import STRIDE, Floats, Pixels


class Strip(NamedTuple):
    """Rows ``top`` to ``bottom`` (exclusive) of a picture, and what is seen around them."""

    pixels: Pixels  # (rows, W[, 3]), context included
    latents: Floats  # (C, h, w) of these pixels
    top: int
    bottom: int
    above: int  # rows of latents that are context at the top
    below: int  # and at the bottom

    def inner(self) -> strips.Strip:
        """The strip without its context."""
        latents = self.latents[:, self.above : self.latents.shape[1] - self.below]
        return strips.strip_of(self.pixels, latents, self.top, self.bottom)


def cut(picture: Rows, rows: int, transform: Backend) -> Iterator[Strip]:
    """Cut a picture that is read from top to bottom into strips of ``rows`` rows.

    A strip has as much context as the analysis sees. Only one strip is held at a time.
    """
    context = transform.reach[0] * STRIDE
    held = picture.read(0)
    start = 0  # the row that ``held`` starts with
    for top in range(0, picture.height, rows):
        bottom = min(top + rows, picture.height)
        stop = min(bottom + context, picture.height)
        missing = stop - start - len(held)
        if missing > 0:
            more = picture.read(missing)
            held = np.concatenate([held, more]) if len(held) else more
        pixels = held[: stop - start]
        above, below = (top - start) // STRIDE, -(-(stop - bottom) // STRIDE)
        yield Strip(pixels, transform.analyse(pixels), top, bottom, above, below)
        keep = max(start, bottom - context)
        held, start = held[keep - start :], keep
