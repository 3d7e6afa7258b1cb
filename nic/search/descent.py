"""Better latents for one picture and quality, by gradient descent on its own rate and distortion.

An analysis transform is trained for the average picture. For a particular picture there are better
latents nearby. Here they are weights, and the loss is the loss of training: code length plus
tradeoff times distortion. A latent in the loss is *softly rounded*: a smooth step between two
integers, which becomes steeper from step to step (Agustsson and Theis, "Universally Quantized
Neural Compression", NeurIPS 2020). Noise comes before the rounding, and falls to nothing; without
it, latents would come to rest at the first minimum. C3 (Kim et al., CVPR 2024) searches likewise.
The noise is greatest half-way between two integers. If all latents had the same, flat areas would
get patterns that a measure for the eye punishes, and the search would run away from them.

Everything is made of sums, products, quotients and square roots, one by one. So the result is the
same on every processor.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from nic.quantize.prediction import differences
from nic.types import Bytes, Floats

SEED = 1
WIDTHS = 0.28, 0.042  # of the step between two integers, at the start and at the end
STEADY = 0.5  # share of the steps before the learning rate falls
MOMENTUM, SPREAD = 0.8, 0.99  # decay of the mean slope and of the mean squared slope (Adam)
LEAST = np.float32(0.3)  # added to the root of the mean squared slope, in bits
EVERY = 8  # steps between choices of tables
DEAREST = 20.0  # bits: the cost of symbols that cannot be coded; finite, so that it has a slope

Planes = NDArray[np.int32]
Number = TypeVar("Number", np.float32, np.int32, np.uint8)


class Rates(Protocol):
    """What symbols cost."""

    @property
    def lengths(self) -> Floats:
        """Code length in bits, (T, S), of every symbol of the codebook in every table."""

    def tables(self, symbols: Planes) -> Bytes:
        """The table of every symbol, (C, h, w), for symbols (C, h, w) before clipping."""


class Quantizer(NamedTuple):
    """What a latent is between two integers.

    Attributes:
        step: (C,), factors of rounded latents.
        predicted: the channels whose symbols are differences from a prediction.
        lowest: the least symbol of the codebook.
        clips: the greatest symbol, if what is beyond the codebook is clipped; else None.
    """

    step: Floats
    predicted: list[int]
    lowest: int
    clips: int | None = None


class Schedule(NamedTuple):
    """How long a search is.

    Attributes:
        steps: their number.
        noise: half of its range at first, in steps of the quantizer, for a latent half-way
            between two integers; less for one that is nearer to an integer, and 0 for an integer.
            The more steps there are, the more noise they can average.
        rate: of learning at first, in steps of the quantizer. With more steps it has to be
            lower: while there is noise, latents drift, and must not drift far.
        weight: of distortion, a factor of the tradeoff. A short search lets many latents go to
            zero; with this factor the distortion stays as it was. The gain in bytes at the same
            distortion is the same from .9 to 1.2.
    """

    steps: int
    noise: float
    rate: float
    weight: float = 1.0


class Found(NamedTuple):
    """Rounded latents (C, h, w) that cost less, and by how many bits their distortion is lower."""

    latents: Floats
    gained: float


class Distortion(Protocol):
    """The distortion of a picture, in bits, for its dequantized latents float32 (C, h, w)."""

    def slopes(self, latents: Floats) -> Floats:
        """Its slopes with respect to the latents, (C, h, w)."""

    def seen(self, latents: Floats) -> float:
        """The distortion of the pixels that a decoder gives."""


class Window:
    """A part of a picture. Its latents in a rectangle may change; those around it do not."""

    def __init__(
        self, latents: Floats, free: tuple[slice, slice], coded: int, rates: Rates,
        quantizer: Quantizer, distortion: Distortion,
    ) -> None:  # fmt: skip
        """Set up a search.

        Args:
            latents: float32 (C, h, w) in steps of the quantizer.
            free: the rows and columns of the latents that may change.
            coded: how many of the leading channels are coded; the others do not change.
        """
        self._free, self._coded, self._rates = free, coded, rates
        self._quantizer, self._distortion = quantizer, distortion
        self._rounded = np.rint(latents)
        self._latents = np.ascontiguousarray(self._inside(latents))
        self._lengths = np.minimum(rates.lengths, np.float32(DEAREST))
        self._extra = np.diff(self._lengths)  # (T, S - 1), of the next symbol

    def search(self, schedule: Schedule, advance: Callable[[float], None]) -> Found | None:
        """Latents that cost less; None if the search ran away from the minimum.

        Args: advance: called after every step with the share of the steps that are done.
        """
        self._set(np.rint(self._latents))
        before, bits = self._cost()
        state = _Adam(self._latents)
        random, steps = np.random.default_rng(SEED), schedule.steps
        for number in range(steps):
            share = number / steps
            if number % EVERY == 0:
                self._classify(state.latents)
            noise, speed = schedule.noise * (1 - share), schedule.rate * _falling(share)
            values, slopes, extra = self._soft(state.latents, share, noise, random)
            found = self._distortion.slopes(values)
            state.step(self._inside(found), slopes, extra, self._quantizer.step, speed)
            if self._quantizer.clips is not None:
                low, high = self._quantizer.lowest, self._quantizer.clips
                np.clip(state.latents, low, high, out=state.latents)
            advance((number + 1) / steps)
        self._set(np.rint(state.latents))
        after, fewer = self._cost()
        return Found(self._rounded, before - after) if fewer + after < bits + before else None

    def _inside(self, planes: NDArray[Number]) -> NDArray[Number]:
        return planes[: self._coded, self._free[0], self._free[1]]

    def _set(self, rounded: Floats) -> None:
        self._inside(self._rounded)[...] = rounded

    def _symbols(self) -> Planes:
        """Rounded latents as symbols (C, h, w) before clipping, of the whole window."""
        symbols = self._rounded[: self._coded].astype(np.int32)
        predicted = [c for c in self._quantizer.predicted if c < self._coded]
        symbols[predicted] = differences(symbols[predicted])
        return symbols

    def _classify(self, latents: Floats) -> None:
        """Choose tables and predictions again, for the latents rounded as they are now."""
        self._set(np.rint(latents))
        symbols = self._symbols()
        self._first = self._inside(self._rates.tables(symbols)).astype(np.int32)
        self._first *= self._extra.shape[1]
        self._expected = self._inside(self._rounded) - self._inside(symbols)

    def _soft(
        self, latents: Floats, share: float, noise: float, random: np.random.Generator
    ) -> tuple[Floats, Floats, Floats]:
        """Softly rounded latents with noise, dequantized, (C, h, w) of the window.

        Returns: also, for the latents that may change, their slope with respect to themselves
            and the bits that the upper of their two integers costs more.
        """
        step, lowest = self._quantizer.step, self._quantizer.lowest
        values = self._rounded * step[:, None, None]
        slopes, extra = np.empty_like(latents), np.empty_like(latents)
        high = np.float32(2 * noise)
        width = np.float32(WIDTHS[1] + (WIDTHS[0] - WIDTHS[1]) * (1 - share) ** 2)
        scale = np.sqrt(width * width + np.float32(0.25))
        last = self._extra.shape[1] - 1
        inside = self._inside(values)
        for c, plane in enumerate(latents):
            x = random.random(plane.shape, np.float32)
            x -= np.float32(0.5)
            x *= high
            x *= np.sqrt(np.abs(plane - np.rint(plane)) * 2)
            x += plane
            low = np.floor(x)
            symbol = (low - self._expected[c]).astype(np.int32)
            symbol -= lowest
            np.clip(symbol, 0, last, out=symbol)
            symbol += self._first[c]
            self._extra.ravel().take(symbol, out=extra[c])
            x -= low
            x -= np.float32(0.5)
            square = x * x
            square += width * width
            root = np.sqrt(square)
            x *= scale
            x /= root
            x += np.float32(0.5)
            x += low
            np.multiply(x, step[c], out=inside[c])
            square *= root
            np.divide(scale * width * width, square, out=slopes[c])
        return values, slopes, extra

    def _cost(self) -> tuple[float, float]:
        """Distortion and code length of the rounded latents, in bits.

        Code lengths are whole parts of a bit, so their sum does not depend on the order.
        """
        symbols = self._symbols()
        every = self._inside(self._rates.tables(symbols))
        last = self._lengths.shape[1] - 1
        at = np.clip(self._inside(symbols) - self._quantizer.lowest, 0, last)
        bits = 0.0
        for table, plane in zip(every, at, strict=True):
            bits += float(self._lengths[table, plane].sum(dtype=np.float64))
        return self._distortion.seen(self._rounded * self._quantizer.step[:, None, None]), bits


class _Adam:
    """Latents (C, h, w), with the mean of their slopes and of the squares of these."""

    def __init__(self, latents: Floats) -> None:
        self.latents = latents.copy()
        self._mean, self._square = np.zeros_like(latents), np.zeros_like(latents)
        self._mean_share, self._square_share = 1.0, 1.0  # of the zeros at the start

    def step(
        self, found: Floats, slopes: Floats, extra: Floats, step: Floats, speed: float
    ) -> None:
        """Change the latents.

        Args: found, slopes, extra: slopes of the distortion with respect to values, of values
            in steps with respect to latents, and of the rate; (C, h, w) each.
        """
        self._mean_share *= MOMENTUM
        self._square_share *= SPREAD
        fast = np.float32(speed / (1 - self._mean_share))
        even = np.float32(1 / (1 - self._square_share))
        for c, (mean, square) in enumerate(zip(self._mean, self._square, strict=True)):
            slope = found[c] * step[c]
            slope += extra[c]
            slope *= slopes[c]
            mean *= np.float32(MOMENTUM)
            mean += np.float32(1 - MOMENTUM) * slope
            slope *= slope
            slope *= np.float32(1 - SPREAD)
            square *= np.float32(SPREAD)
            square += slope
            root = np.sqrt(square * even)
            root += LEAST
            np.divide(mean, root, out=root)
            root *= fast
            self.latents[c] -= root


def _falling(share: float) -> float:
    """What is left of the learning rate after a share of the steps: it falls smoothly to 0."""
    fallen = max(0.0, share - STEADY) / (1 - STEADY)
    return 1 - fallen * fallen * (3 - 2 * fallen)
