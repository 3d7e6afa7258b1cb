"""Networks that run on a whole picture, run tile by tile, so that memory stays bounded.

A transform sees only a known number of latents far, its *reach*. So a tile is transformed with
that much context on every side, and the result is cropped. It is what the transform of the whole
picture gives there, except for the order of float additions.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from nic.types import STRIDE, Floats, Pixels, kind_of, peak

TILE = 1920  # pixels a side, without context; for 1920x1080 a network needs 400 MB


class Network(Protocol):
    """Both transforms of one model, for pictures in one piece."""

    @property
    def reach(self) -> tuple[int, int]:
        """How far each transform sees, in latents: (analysis, synthesis)."""

    def analysis(self, picture: Floats) -> Floats:
        """Picture (H, W, 3) in [0, 1], sides multiples of 8 -> latents (H/8, W/8, C)."""

    def synthesis(self, latents: Floats) -> Floats:
        """Latents (h, w, C) -> picture (8h, 8w, 3), not clipped."""


class Tiled:
    """A network that runs tile by tile; a ``nic.transform.backends.Backend``."""

    def __init__(self, network: Network) -> None:
        self.network = network

    @property
    def reach(self) -> tuple[int, int]:
        """See ``Backend``."""
        return self.network.reach

    def analyse(self, pixels: Pixels) -> Floats:
        """See ``Backend``."""
        height, width = pixels.shape[:2]
        h, w = -(-height // STRIDE), -(-width // STRIDE)
        out = None
        for y, x in _tiles(h, w, self.reach[0]):
            part = pixels[y.start * STRIDE : y.stop * STRIDE, x.start * STRIDE : x.stop * STRIDE]
            latents = np.moveaxis(self.network.analysis(unit(part)), -1, 0)
            if out is None:
                out = np.empty((len(latents), h, w), np.float32)
            out[:, y.first : y.last, x.first : x.last] = latents[:, y.crop(1), x.crop(1)]
        assert out is not None  # there is at least one tile
        return out

    def synthesise(self, latents: Floats, grey: bool, depth: int) -> Pixels:
        """See ``Backend``."""
        _, h, w = latents.shape
        shape = (h * STRIDE, w * STRIDE)
        out = np.empty(shape if grey else (*shape, 3), kind_of(depth))
        for y, x in _tiles(h, w, self.reach[1]):
            part = np.moveaxis(latents[:, y.start : y.stop, x.start : x.stop], 0, -1)
            picture = self.network.synthesis(np.ascontiguousarray(part))
            picture = picture[y.crop(STRIDE), x.crop(STRIDE)]
            rows = slice(y.first * STRIDE, y.last * STRIDE)
            out[rows, x.first * STRIDE : x.last * STRIDE] = _rounded(picture, grey, out)
        return out

    def start_analysis(self, shape: tuple[int, ...], depth: int) -> "Parts":
        """See ``Backend``."""
        h = -(-shape[0] // STRIDE)
        return Parts(self.analyse, Side(0, STRIDE), Side(1, 1), h, self.reach[0])

    def start_synthesis(self, shape: tuple[int, int], grey: bool, depth: int) -> "Parts":
        """See ``Backend``."""
        run = partial(self.synthesise, grey=grey, depth=depth)
        return Parts(run, Side(1, 1), Side(0, STRIDE), shape[0], self.reach[1])


class Side(NamedTuple):
    """Where the rows of an array are, and how many stand for a row of latents."""

    axis: int
    scale: int

    def cut(self, array: NDArray[Any], rows: slice) -> NDArray[Any]:
        """Some rows of an array."""
        return array[(slice(None),) * self.axis + (rows,)]


class Parts:
    """A transform of rows that come a few at a time, in parts with context.

    A part is done when its rows and the context below it have come; see
    ``nic.transform.backends.Pass``.
    """

    def __init__(
        self,
        run: Callable[[NDArray[Any]], NDArray[Any]],
        given: Side,
        made: Side,
        h: int,
        reach: int,
    ) -> None:
        """``h``: rows of latents of the whole picture."""
        self._run, self._given, self._made = run, given, made
        self._rows, self._reach = h, reach
        self._held = list[NDArray[Any]]()
        self._start = self._stop = self._done = 0  # rows held; rows made

    def push(self, rows: NDArray[Any]) -> NDArray[Any] | None:
        """See ``nic.transform.backends.Pass``."""
        axis, scale = self._given
        self._held.append(rows)
        self._stop += -(-rows.shape[axis] // scale)
        ready = self._stop - self._reach
        if self._stop == self._rows:
            ready = self._rows
        elif ready - self._done < TILE // STRIDE:
            return None
        held = np.concatenate(self._held, axis)
        span = Span(self._done, ready, self._start, self._stop)
        made = self._made.cut(self._run(held), span.crop(self._made.scale))
        keep = max(self._start, ready - self._reach)
        self._held = [self._given.cut(held, slice((keep - self._start) * scale, None))]
        self._start, self._done = keep, ready
        return made


class Span(NamedTuple):
    """Latents ``first`` to ``last`` of one side, and with context ``start`` to ``stop``.

    Both ends are exclusive.
    """

    first: int
    last: int
    start: int
    stop: int

    def crop(self, scale: int) -> slice:
        """Where the span is within its context, in units of 1/``scale`` latents."""
        return slice((self.first - self.start) * scale, (self.last - self.start) * scale)


def spans(length: int, step: int, reach: int) -> list[Span]:
    """Cut ``length`` into equal parts of about ``step`` or less, each with ``reach`` context."""
    parts = max(1, round(length / step + 0.3))
    edges = [length * i // parts for i in range(parts + 1)]
    return [
        Span(first, last, max(0, first - reach), min(length, last + reach))
        for first, last in pairwise(edges)
    ]


def _tiles(h: int, w: int, reach: int) -> Iterator[tuple[Span, Span]]:
    """Yield spans of rows and columns."""
    step = TILE // STRIDE
    for rows in spans(h, step, reach):
        for columns in spans(w, step, reach):
            yield rows, columns


def as_rgb(pixels: Pixels) -> Pixels:
    """Pixels (H, W, 3) of a picture; grey (H, W) is repeated in three channels."""
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def unit(pixels: Pixels) -> Floats:
    """Pixels (H, W[, 3]) -> float32 (H', W', 3) in [0, 1], mirrored to multiples of 8."""
    height, width = pixels.shape[:2]
    rgb = as_rgb(pixels)
    margins = ((0, -height % STRIDE), (0, -width % STRIDE), (0, 0))
    padded = np.pad(rgb, margins, mode="symmetric") if any(map(any, margins)) else rgb
    values = padded.astype(np.float32)
    values /= np.float32(peak(pixels))
    return values


def _rounded(picture: Floats, grey: bool, like: Pixels) -> Pixels:
    """The picture, clipped to [0, 1], as pixels of the type of ``like``."""
    values = np.clip(picture.mean(axis=2) if grey else picture, 0, 1)
    values *= np.float32(peak(like))
    return np.asarray(np.rint(values, out=values), like.dtype)
