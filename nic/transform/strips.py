"""Pictures of any size in bounded memory: the transforms in tiles, the records in strips.

Each transform sees only a known number of latents far, its *reach*. So a tile is transformed with
that much context on every side, and the result is cropped. It is what the transform of the whole
picture gives there, except for the order of float additions.

A picture of more than ``nic.settings.Settings.strip_pixels`` pixels becomes several records, one
for each strip of rows, so that a stage need not hold the whole picture. Strips are coded
independently: the entropy coder and the prediction of the DC-like channels start anew.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np

from nic.errors import CorruptError
from nic.format.header import Header
from nic.format.strips import check_order, end, is_last
from nic.types import STRIDE, Floats, Pixels, kind_of, peak

TILE = 1920  # pixels a side, without context; for 1920x1080 a network needs 400 MB


class Transform(Protocol):
    """The part of a backend that this module needs."""

    @property
    def reach(self) -> tuple[int, int]:
        """How far each transform sees, in latents: (analysis, synthesis)."""

    def analysis(self, picture: Floats) -> Floats:
        """Picture (H, W, 3) in [0, 1] -> latents (H/8, W/8, C)."""

    def synthesis(self, latents: Floats) -> Floats:
        """Latents (h, w, C) -> picture (8h, 8w, 3)."""


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


def analyse(pixels: Pixels, transform: Transform, above: int = 0, below: int = 0) -> Floats:
    """Analysis transform, tile by tile: pixels (H, W, 3) or (H, W) -> latents (h, w, C).

    Pixels are uint8 or uint16. They are mirrored to fill sides up to multiples of 8. The first
    ``above`` and the last ``below`` rows of latents are context: ``pixels`` includes them, and the
    result does not.
    """
    height, width = pixels.shape[:2]
    h, w = -(-height // STRIDE), -(-width // STRIDE)
    reach, out = transform.reach[0], None
    for y, x in _tiles(h, w, reach):
        part = pixels[y.start * STRIDE : y.stop * STRIDE, x.start * STRIDE : x.stop * STRIDE]
        latents = transform.analysis(unit(part))[y.crop(1), x.crop(1)]
        if out is None:
            out = np.empty((h, w, latents.shape[2]), np.float32)
        out[y.first : y.last, x.first : x.last] = latents
    assert out is not None  # there is at least one tile
    return out[above : h - below]


def synthesise(
    latents: Floats,
    transform: Transform,
    grey: bool,
    above: int = 0,
    below: int = 0,
    depth: int = 8,
) -> Pixels:
    """Synthesis transform, tile by tile: latents (h, w, C) -> pixels (8h', 8w, 3) or (8h', 8w).

    Pixels are uint8, or uint16 if ``depth`` is 16. The first ``above`` and the last ``below`` rows
    of latents are context; the other h' rows give pixels. ``grey`` chooses the second shape.
    """
    rows = len(latents)
    parts = latents[:above], latents[above : rows - below], latents[rows - below :]
    return _synthesise(parts, transform, grey, depth)


def _synthesise(
    parts: tuple[Floats, Floats, Floats], transform: Transform, grey: bool, depth: int
) -> Pixels:
    """``synthesise`` for the latents of a strip, between those above it and those below it."""
    above = len(parts[0])
    h, w, _ = parts[1].shape
    shape = (h * STRIDE, w * STRIDE)
    out = np.empty(shape if grey else (*shape, 3), kind_of(depth))
    for y, x in _tiles(h, w, transform.reach[1], above, len(parts[2])):
        part = _rows_of(parts, y.start + above, y.stop + above)[:, x.start : x.stop]
        picture = transform.synthesis(np.ascontiguousarray(part))
        picture = picture[y.crop(STRIDE), x.crop(STRIDE)]
        rows = slice(y.first * STRIDE, y.last * STRIDE)
        out[rows, x.first * STRIDE : x.last * STRIDE] = _rounded(picture, grey, out)
    return out


def _rows_of(parts: tuple[Floats, ...], start: int, stop: int) -> Floats:
    """Rows ``start`` to ``stop`` of arrays that stand one below the other; copies only these."""
    found, top = [], 0
    for part in parts:
        rows = part[max(0, start - top) : max(0, stop - top)]
        found += [rows] if len(rows) else []
        top += len(part)
    return found[0] if len(found) == 1 else np.concatenate(found)


def _tiles(
    h: int, w: int, reach: int, above: int = 0, below: int = 0
) -> Iterator[tuple[Span, Span]]:
    """Yield spans of rows and columns; ``above`` and ``below`` count rows of context beyond h."""
    step = TILE // STRIDE
    for rows in spans(h, step, reach):
        start = max(-above, rows.first - reach)
        stop = min(h + below, rows.last + reach)
        for columns in spans(w, step, reach):
            yield rows._replace(start=start, stop=stop), columns


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


# -- strips -----------------------------------------------------------------------------------


class Strip(NamedTuple):
    """Rows ``top`` to ``bottom`` (exclusive) of a picture, with context for the analysis."""

    pixels: Pixels  # (rows, W[, 3]), context included
    top: int
    bottom: int
    above: int  # rows of latents that are context at the top
    below: int  # and at the bottom


def cut(read: Callable[[int], Pixels], height: int, rows: int, reach: int) -> Iterator[Strip]:
    """Cut a picture that is read from top to bottom into strips of ``rows`` rows.

    Only one strip and its context are held at a time.

    Args:
        read: gives the next n rows.
        reach: the reach of the analysis, in latents.
    """
    context = reach * STRIDE
    held = read(0)
    start = 0  # the row that ``held`` starts with
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        stop = min(bottom + context, height)
        missing = stop - start - len(held)
        if missing > 0:
            held = np.concatenate([held, read(missing)]) if len(held) else read(missing)
        below = -(-(stop - bottom) // STRIDE)
        yield Strip(held[: stop - start], top, bottom, (top - start) // STRIDE, below)
        keep = max(start, bottom - context)
        held, start = held[keep - start :], keep


def assemble(
    records: Iterator[tuple[Header, Floats]],
    transform: Callable[[Header], Transform],
    depth: int | None = None,
) -> Iterator[tuple[Header, Pixels]]:
    """Synthesis of strips, of one picture after the other: (header, latents) -> (header, pixels).

    Pixels have ``depth`` bits per sample, 8 or 16; None: those of the header. A strip waits until
    all latents below it that the synthesis sees have come, even from several strips.

    Raises: CorruptError when a strip is missing or out of order.
    """
    waiting: deque[tuple[Header, Floats]] = deque()
    above: Floats | None = None  # latents above the first strip that waits
    last: Header | None = None  # of the strip that was read last; None between pictures
    for header, latents in records:
        check_order(header, last)
        last = None if is_last(header) else header
        waiting.append((header, latents))
        reach = transform(header).reach[1]
        while waiting and (last is None or _rows_below(waiting) >= reach):
            first, own = waiting.popleft()
            above = own[:0] if above is None else above
            below = np.concatenate([own[:0], *(rows for _, rows in waiting)])[:reach]
            bits = depth or first.bit_depth
            yield first, _synthesised(first, above, own, below, transform(first), bits)
            above = np.concatenate([above, own[-reach:]])[-reach:]
        if last is None:
            above = None
    if last is not None:
        raise CorruptError(f"truncated: the picture's strips end at row {end(last)}")


def _rows_below(waiting: Sequence[tuple[Header, Floats]]) -> int:
    """Rows of latents of all strips that wait but the first."""
    return sum(len(latents) for _, latents in waiting) - len(waiting[0][1])


def _synthesised(
    header: Header, above: Floats, latents: Floats, below: Floats, network: Transform, depth: int
) -> Pixels:
    """Pixels of a strip, given its latents and those above and below it."""
    grey = header.colour.name == "GREY"
    pixels = _synthesise((above, latents, below), network, grey, depth)
    return pixels[: header.height, : header.width]
