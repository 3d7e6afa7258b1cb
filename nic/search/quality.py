"""The search for the quality at which a measure meets a goal."""

import math
from collections.abc import Callable
from dataclasses import dataclass

FIRST, LAST = 100, 10000  # in hundredths of quality, the unit of a packed header
PROBES = 12  # the most qualities that are tried; each takes an entropy coding or a synthesis


@dataclass(frozen=True)
class Found:
    """A quality in 1..100, the value measured there, and whether it meets the target."""

    quality: float
    measured: float
    met: bool


def search(
    measure: Callable[[float], float], goal: float, is_rate: bool, close: float = 0
) -> Found:
    """Find a high quality with at most ``goal`` bytes, or a low one with at least ``goal`` dB.

    Regula falsi with the Illinois modification (Dowell and Jarratt, BIT 11, 1971), in hundredths
    of quality and in the logarithm of bytes.

    Args:
        measure: gives bytes, dB or points at a quality in 1..100; grows with quality, roughly. It
            is called at most ``PROBES`` times.
        goal: bytes if ``is_rate``, else dB or points.
        close: the search ends at a value that is less than this above the goal; not for bytes.
    Returns: the best of the qualities tried; the nearest if none meets the goal.
    """
    tried: dict[int, float] = {}

    def excess(at: int) -> float:
        tried[at] = measure(at / 100)
        return math.log(tried[at] / goal) if is_rate else tried[at] - goal

    # low stays below the goal and high above it; on the goal, bytes count as below, dB as above
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
        if not is_rate and 0 <= value < close:
            break
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
    """The best of the qualities tried, or the nearest if none meets the goal."""
    if is_rate:
        fitting = [at for at, value in tried.items() if value <= goal]
        at = max(fitting, default=FIRST)
    else:
        fitting = [at for at, value in tried.items() if value >= goal]
        at = min(fitting, default=max(tried, key=lambda at: (tried[at], at)))
    return Found(at / 100, tried[at], bool(fitting))
