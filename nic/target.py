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

from nic import stream
from nic.metrics import psnr
from nic.pipeline import Codec
from nic.stream import Record, Stage

FIRST, LAST = 100, 10000  # hundredths of quality, what a header can hold
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
    counted = slice(None) if alpha is None or not alpha.any() else alpha > 0

    def size(quality: float) -> float:
        return sum(stream.size(codec.forward(r, Stage.PACKED, quality)) for r in latents)

    def similarity(quality: float) -> float:
        symbols = [codec.forward(record, Stage.SYMBOLS, quality) for record in latents]
        bare = [replace(record, alpha=b"", extra=()) for record in symbols]
        parts = [part.pixels for _, part in codec.decode_strips(bare)]
        return psnr(pixels[counted], np.concatenate(parts)[counted])

    goal = target.goal(pixels.shape[0] * pixels.shape[1])
    return search(size if target.is_rate else similarity, goal, target.is_rate)


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
