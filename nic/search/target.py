"""Rate targets: the quality that makes a file of a size, or a picture of a PSNR.

Bytes and PSNR grow with quality, but not at every step of it: each quality has its own rounding
and its own choice of tables. So the search ends at a quality that is right, with neighbours
that are not or were not tried, and says so when none is.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nic.codec import Codec
from nic.format import records
from nic.format.records import Record, Stage
from nic.metrics import psnr

FIRST, LAST = 100, 10000  # hundredths of quality, what a header can hold
REFINEMENTS = 3
SAFETY = 0.995  # part of the bytes asked for that is aimed at, as refining varies by as much
SAFETY_DB = 0.03  # likewise, above the PSNR asked for
PROBES = 12  # qualities tried at most: each costs an entropy coding, or a synthesis

Kind = Literal["bpp", "size", "psnr"]
UNITS = {"bpp": "bpp", "size": "bytes", "psnr": "dB"}


@dataclass(frozen=True)
class Target:
    """What is wanted: at most ``value`` bits per pixel or bytes, or at least ``value`` dB."""

    kind: Kind
    value: float

    @property
    def is_rate(self) -> bool:
        """Whether the target is a limit of bytes."""
        return self.kind != "psnr"

    def goal(self, pixels: int) -> float:
        """Bytes, or dB, for a picture of so many pixels."""
        return self.value * pixels / 8 if self.kind == "bpp" else self.value


@dataclass(frozen=True)
class Found:
    """A quality in 1..100 and what was measured there; ``met`` when the target is."""

    quality: float
    measured: float
    met: bool


def find(
    codec: Codec,
    latents: list[Record],
    pixels: NDArray[np.uint8],
    target: Target,
    alpha: NDArray[np.uint8] | None = None,
) -> Found:
    """The quality that one picture needs for the target, from one analysis of it.

    Args:
        latents: its records, one for each strip.
        pixels: the picture, uint8 (H, W, 3) or (H, W).
        alpha: uint8 (H, W); where it is zero, nothing shows and PSNR counts nothing.
    """
    goal = target.goal(pixels.shape[0] * pixels.shape[1])
    measure = _measure(codec, pixels, target, alpha)
    return search(lambda quality: measure(latents, quality), goal, target.is_rate)


def find_refined(
    codec: Codec,
    plain: list[Record],
    refined: Callable[[float], list[Record]],
    pixels: NDArray[np.uint8],
    target: Target,
    alpha: NDArray[np.uint8] | None = None,
) -> tuple[list[Record], Found]:
    """Latents refined for the quality that they need for the target, and that quality.

    They are refined for the quality that ``plain`` latents need; then again, up to
    ``REFINEMENTS`` times in all, for what those need for a goal that is corrected by how far
    from the true one the last refinement came out.

    Args: refined: quality -> the records, refined for it. The others are those of ``find``.
    """
    measure = _measure(codec, pixels, target, alpha)
    goal = target.goal(pixels.shape[0] * pixels.shape[1])
    aim, tried = goal, dict[float, tuple[list[Record], Found]]()
    for _ in range(REFINEMENTS):
        quality = search(lambda q: measure(plain, q), aim, target.is_rate).quality
        if quality in tried:
            break
        latents = refined(quality)
        value = measure(latents, quality)
        met = value <= goal if target.is_rate else value >= goal
        tried[quality] = latents, Found(quality, value, met)
        aim = aim * SAFETY * goal / value if target.is_rate else aim + goal + SAFETY_DB - value
    fitting = [both for both in tried.values() if both[1].met]
    if not fitting:
        found = find(codec, plain, pixels, target, alpha)
        fitting = [(plain, found)] if found.met else list(tried.values())
    # More is better of bytes that fit and of dB that fall short, less of the others.
    choose = max if target.is_rate == fitting[0][1].met else min
    return choose(fitting, key=lambda both: both[1].measured)


def _measure(
    codec: Codec, pixels: NDArray[np.uint8], target: Target, alpha: NDArray[np.uint8] | None
) -> Callable[[list[Record], float], float]:
    """Latents and quality -> bytes, or dB."""
    counted = slice(None) if alpha is None or not alpha.any() else alpha > 0

    def size(latents: list[Record], quality: float) -> float:
        return sum(records.size(codec.forward(r, Stage.PACKED, quality)) for r in latents)

    def similarity(latents: list[Record], quality: float) -> float:
        symbols = [codec.forward(record, Stage.SYMBOLS, quality) for record in latents]
        bare = [replace(record, alpha=b"", extra=()) for record in symbols]
        parts = [part.pixels for _, part in codec.decode_strips(bare)]
        return psnr(pixels[counted], np.concatenate(parts)[counted])

    return size if target.is_rate else similarity


def shortfall(found: Found, target: Target, pixels: int) -> str:
    """One line about a target that no quality meets."""
    goal = f"{target.value:.10g} {UNITS[target.kind]}"
    if not target.is_rate:
        return f"no quality reaches {goal}: {found.measured:.2f} dB at quality {found.quality:g}"
    rate = 8 * found.measured / pixels if target.kind == "bpp" else found.measured
    return (
        f"no quality fits into {goal}: {rate:.6g} {UNITS[target.kind]} at quality {found.quality:g}"
    )


def search(measure: Callable[[float], float], goal: float, is_rate: bool) -> Found:
    """Find the greatest quality of at most ``goal`` bytes, or the least of at least ``goal`` dB.

    Regula falsi with the Illinois modification (Dowell and Jarratt, BIT 11, 1971) on the hundredths
    of quality, bytes taken by their logarithm; ``PROBES`` calls of ``measure`` at most.

    Args:
        measure: quality in 1..100 -> bytes, or dB; grows with quality, if not strictly.
    Returns: the best of the qualities tried; the nearest, 1 or 100, when none meets the goal.
    """
    tried: dict[int, float] = {}

    def excess(at: int) -> float:
        tried[at] = measure(at / 100)
        return math.log(tried[at] / goal) if is_rate else tried[at] - goal

    # low is below the goal and high above; equal is below for bytes, and above for dB
    def is_high(value: float) -> bool:
        return value > 0 if is_rate else value >= 0

    low, below = FIRST, excess(FIRST)
    if is_high(below):
        return _best(tried, goal, is_rate)
    high, above = LAST, excess(LAST)
    if not is_high(above):
        return _best(tried, goal, is_rate)
    side = 0
    while high - low > 1 and len(tried) < PROBES:
        slope = above - below
        part = 0.5 if not math.isfinite(slope) or slope <= 0 else -below / slope
        middle = min(max(low + round(part * (high - low)), low + 1), high - 1)
        value = excess(middle)
        if is_high(value):
            high, above = middle, value
            below /= 2 if side == 1 else 1
            side = 1
        else:
            low, below = middle, value
            above /= 2 if side == -1 else 1
            side = -1
    return _best(tried, goal, is_rate)


def _best(tried: dict[int, float], goal: float, is_rate: bool) -> Found:
    """The best of what was tried, or the nearest when none will do."""
    if is_rate:
        fitting = [at for at, value in tried.items() if value <= goal]
        at = max(fitting, default=FIRST)
    else:
        fitting = [at for at, value in tried.items() if value >= goal]
        at = min(fitting, default=max(tried, key=lambda at: (tried[at], at)))
    return Found(at / 100, tried[at], bool(fitting))
