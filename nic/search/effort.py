"""``--effort``: the search for better latents of one picture, window by window.

``nic.search.descent`` describes the search in one window. Windows bound the memory. Each window
has *context* around its latents: latents that are not changed, but that the synthesis transform
needs to give the pixels that a decoder will give.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from nic.entropy.coding import Lengths
from nic.errors import UsageError
from nic.format.records import Record
from nic.models.model import Model
from nic.models.native.distortion import Distortion
from nic.models.native.gradient import Synthesis
from nic.quantize.rounding import quantize
from nic.search.context import Strip
from nic.search.descent import Quantizer, Schedule, Window
from nic.transform.tiles import Span, spans, unit
from nic.types import STRIDE, Floats, Pixels, peak

SCHEDULES = {
    2: Schedule(10, 0.25, 0.04, 1.2),
    3: Schedule(20, 0.35, 0.04, 1.1),
    4: Schedule(35, 0.4, 0.04),
    5: Schedule(60, 0.45, 0.04),
    6: Schedule(110, 0.55, 0.04),
    7: Schedule(200, 0.6, 0.04),
    8: Schedule(450, 0.65, 0.04),
    9: Schedule(1000, 0.65, 0.04),
}
# Measures for the eye punish patterns in flat areas, and searches for them drift more easily.
CALM_NOISE, CALM_WAY = 0.42, 4.0  # the most noise, and rate times steps
WHOLE = 1 << 15  # most latents of a picture in one window, as 1920x1080 is: memory for 10 KB each
SIDE = 144  # latents a side of other windows, without context
BLOCK = 2  # latents a side that share a class; windows do not cut them

Advance = Callable[[float], None]  # gets the share of the work that is done, 0..1


def searched(
    record: Record, strip: Strip, model: Model, synthesis: Synthesis, effort: int,
    size: Callable[[Record], int], advance: Advance,
) -> Record:  # fmt: skip
    """A record of latents, changed to cost less at its quality, or as it is if they cost more.

    Args:
        strip: what the record was made from, with its context.
        effort: 2..9.
        size: gives the bytes of a record as a file.
        advance: called after every step.
    Raises: UsageError when the model has no tables.
    """
    if not model.has_prior:
        raise UsageError(f"model {model.name} has no tables; without them --effort is of no use")
    header = quantize(record, model).header  # with the quality and the channels that are used
    assert header.quality is not None
    plain = replace(record, header=record.header.after("search", quality=header.quality))
    gain = model.gain(header.quality)[:, None, None]
    search = _Search(strip, model, synthesis, header.quality, header.channels, effort)
    latents, gained = search.run(strip.latents * gain, advance)
    better = replace(plain, data=(latents / gain).astype("<f4").tobytes())
    return better if 8 * (size(better) - size(plain)) < gained else plain


class _Search:
    """The search in all windows of a strip."""

    def __init__(
        self, strip: Strip, model: Model, synthesis: Synthesis, quality: float, channels: int,
        effort: int,
    ) -> None:  # fmt: skip
        self._strip, self._model, self._synthesis = strip, model, synthesis
        self._quality, self._channels = quality, channels
        self._schedule = schedule_of(model.measure, effort)
        self._rates = Lengths(model.prior, quality, channels, model.codebook)
        low, high = model.codebook
        clips = None if model.has_excess else high
        self._quantizer = Quantizer(model.step(quality), [*model.predicted], low, clips)

    def run(self, latents: Floats, advance: Advance) -> tuple[Floats, float]:
        """Search window by window; each has what earlier ones found as context.

        Args: latents: (C, h, w) in steps of the quantizer, with context; they are changed.
        Returns: those without context, and by how many bits their distortion is lower.
        """
        latents[self._channels :] = 0
        _, h, w = latents.shape
        gained, last = 0.0, h - self._strip.below
        places = list(windows(h, w, self._model.reach[1]))
        for number, (y, x) in enumerate(places):
            first = max(y.first, self._strip.above)
            inside = slice(first - y.start, max(0, min(y.last, last) - y.start))
            if inside.start >= inside.stop:
                continue

            def done(share: float, before: int = number) -> None:
                advance((before + share) / len(places))

            window = self._window(latents, y, x, inside)
            calmer = self._schedule._replace(noise=self._schedule.noise / 2)
            if found := window.search(self._schedule, done) or window.search(calmer, done):
                latents[:, y.start : y.stop, x.start : x.stop] = found.latents
                gained += found.gained
        return latents[:, self._strip.above : last], gained

    def _window(self, latents: Floats, y: Span, x: Span, rows: slice) -> Window:
        """The window of these spans, in which ``rows`` may change."""
        there = tuple(slice(s.start * STRIDE, s.stop * STRIDE) for s in (y, x))
        tradeoff = self._model.tradeoff(self._quality)
        distortion = _Distortion(
            self._strip.pixels[there], self._model.measure, tradeoff, self._schedule.weight,
            self._synthesis,
        )  # fmt: skip
        part = latents[:, y.start : y.stop, x.start : x.stop]
        free = rows, x.crop(1)
        return Window(part, free, self._channels, self._rates, self._quantizer, distortion)


def schedule_of(measure: str, effort: int) -> Schedule:
    """The schedule of an effort 2..9 for a measure, a key of ``MEASURES``."""
    usual = SCHEDULES[effort]
    if measure == "mse":
        return usual
    noise, rate = min(usual.noise, CALM_NOISE), min(usual.rate, CALM_WAY / usual.steps)
    return usual._replace(noise=noise, rate=rate)


class _Distortion:
    """The distortion of the latents of a window, in bits; see ``nic.search.descent``."""

    def __init__(
        self, pixels: Pixels, measure: str, tradeoff: float, weight: float, synthesis: Synthesis
    ) -> None:
        """``weight``: a factor of the slopes."""
        picture = unit(pixels)
        height, width, _ = picture.shape
        counted = slice(0, pixels.shape[0]), slice(0, pixels.shape[1])
        self._measure = Distortion(measure, picture, counted, synthesis.threads)
        self._synthesis = synthesis
        self._bits = float(tradeoff * height * width)
        self._peak = np.float32(peak(pixels))
        self._weight = np.float32(weight * self._bits)
        self._slopes = np.empty_like(picture)

    def slopes(self, latents: Floats) -> Floats:
        self._measure(self._synthesis.decode(latents), self._slopes)
        self._slopes *= self._weight
        return self._synthesis.slopes(self._slopes)

    def seen(self, latents: Floats) -> float:
        decoded = self._synthesis.decode(latents)
        decoded *= self._peak
        np.rint(decoded, out=decoded)
        np.clip(decoded, 0, self._peak, out=decoded)
        decoded /= self._peak
        return self._bits * self._measure(decoded, self._slopes)


def windows(h: int, w: int, reach: int) -> Iterator[tuple[Span, Span]]:
    """Yield spans of rows and columns, whose edges do not cut the blocks that share a class."""
    side = max(h, w) if h * w <= WHOLE else SIDE
    for rows in _even(h, side, reach):
        for columns in _even(w, side, reach):
            yield rows, columns


def _even(length: int, side: int, reach: int) -> list[Span]:
    blocks = spans(-(-length // BLOCK), -(-side // BLOCK), -(-reach // BLOCK))
    return [Span(*(min(BLOCK * edge, length) for edge in span)) for span in blocks]
