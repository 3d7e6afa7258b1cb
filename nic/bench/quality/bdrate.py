"""Bjontegaard delta rate: how many percent more bytes a codec needs for the same quality.

After Bjontegaard, VCEG-M33 (2001), but with piecewise cubic interpolation, as JVET uses it. Between
the points of a curve, the logarithm of the rate is a monotone cubic of the quality (Fritsch and
Butland, SIAM J. Sci. Stat. Comput. 5, 1984).
"""

import math
from collections.abc import Iterable

import numpy as np

from nic.types import Doubles

Point = tuple[float, float]  # bits per pixel, quality

GAUSS = 0.5 / math.sqrt(3)  # Gauss's two nodes, which integrate a cubic exactly


def bd_rate(anchor: Iterable[Point], test: Iterable[Point]) -> float | None:
    """How much higher the rate of ``test`` is than of ``anchor`` at equal quality, in percent.

    It is the mean over the qualities that both curves reach; negative if ``test`` has fewer bytes.
    None if there are no such qualities, or a curve has fewer than two points.
    """
    curves = [_sorted(anchor), _sorted(test)]
    if min(len(quality) for quality, _ in curves) < 2:
        return None
    low = max(quality[0] for quality, _ in curves)
    high = min(quality[-1] for quality, _ in curves)
    if low >= high:
        return None
    anchor_mean, test_mean = (_mean(*curve, low, high) for curve in curves)
    return 100 * math.expm1(test_mean - anchor_mean)


def in_decibels(similarity: float) -> float:
    """SSIM or MS-SSIM in decibels, -10 log10(1 - s), where equal steps look equally large."""
    return -10 * math.log10(1 - similarity) if similarity < 1 else math.inf


def _sorted(curve: Iterable[Point]) -> tuple[Doubles, Doubles]:
    """The finite points of a curve by growing quality: qualities, and logarithms of rates."""
    least = {quality: rate for rate, quality in sorted(curve, reverse=True)}
    points = sorted((q, math.log(r)) for q, r in least.items() if math.isfinite(q) and r > 0)
    return np.array([q for q, _ in points]), np.array([r for _, r in points])


def _mean(x: Doubles, y: Doubles, low: float, high: float) -> float:
    """Mean over ``low``..``high`` of the monotone cubic through the points (x, y)."""
    slopes = _slopes(x, y)
    inner = x[(x > low) & (x < high)]
    edges = np.concatenate([[low], inner, [high]])
    middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    nodes = [_cubic(x, y, slopes, middle + sign * GAUSS * width) for sign in (-1, 1)]
    return float((width * (nodes[0] + nodes[1]) / 2).sum() / (high - low))


def _cubic(x: Doubles, y: Doubles, slopes: Doubles, at: Doubles) -> Doubles:
    """The cubic Hermite spline at the positions ``at``, inside the range of x."""
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    h = x[i + 1] - x[i]
    t = (at - x[i]) / h
    start = (1 + 2 * t) * (1 - t) ** 2 * y[i] + t * (1 - t) ** 2 * h * slopes[i]
    end = t**2 * (3 - 2 * t) * y[i + 1] - t**2 * (1 - t) * h * slopes[i + 1]
    return np.asarray(start + end)


def _slopes(x: Doubles, y: Doubles) -> Doubles:
    """Slopes at the points: weighted harmonic means of the secants, 0 at extrema."""
    h, secants = np.diff(x), np.diff(y) / np.diff(x)
    if len(secants) == 1:
        return np.repeat(secants, 2)
    before, after = secants[:-1], secants[1:]
    weights = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    monotone = before * after > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        harmonic = sum(weights) / (weights[0] / before + weights[1] / after)
    inner = np.where(monotone, harmonic, 0.0)
    first = _end_slope(h[0], h[1], secants[0], secants[1])
    last = _end_slope(h[-1], h[-2], secants[-1], secants[-2])
    return np.concatenate([[first], inner, [last]])


def _end_slope(h0: float, h1: float, s0: float, s1: float) -> float:
    """The three-point slope at an end, limited so that the cubic stays monotone."""
    slope = ((2 * h0 + h1) * s0 - h0 * s1) / (h0 + h1)
    if slope * s0 <= 0:
        return 0.0
    return 3 * s0 if s0 * s1 <= 0 and abs(slope) > 3 * abs(s0) else slope
