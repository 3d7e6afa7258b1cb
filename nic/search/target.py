"""Targets: the search for the quality that meets a rate or a PSNR.

Bytes and PSNR grow with quality, but not in every small step, because each quality has its own
rounding and its own tables. So the search finds a quality that meets the target, and need not
find the very best one. A note says when no quality meets the target.
"""

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from nic.errors import NicError, UsageError
from nic.format import records
from nic.format.header import Header
from nic.format.records import Record, Stage
from nic.picture import metrics
from nic.picture.pixels import Picture
from nic.picture.rows import Rows
from nic.search.kept import KeptPixels, KeptRecords
from nic.settings import Encoding

log = logging.getLogger("nic")

FIRST, LAST = 100, 10000  # in hundredths of quality, the unit of a packed header
REFINEMENTS = 3
# After a refinement the next one aims at this part of the bytes, or so many dB higher, as the
# result of refining varies by about as much.
SAFETY, SAFETY_DB = 0.995, 0.03
PROBES = 12  # the most qualities that are tried; each takes an entropy coding or a synthesis

Kind = Literal["bpp", "size", "psnr"]
UNITS = {"bpp": "bpp", "size": "bytes", "psnr": "dB"}


class Codec(Protocol):
    """The part of ``nic.codec.Codec`` that a search needs."""

    def encode_rows(self, picture: Rows, options: Encoding | None = None) -> Iterator[Record]:
        """Records of latents."""

    def forward(self, record: Record, target: Stage, quality: float | None = None) -> Record:
        """The record at a later stage."""

    def decode_strips(self, records: Iterable[Record]) -> Iterator[tuple[Header, Picture]]:
        """Header and picture of every record."""


@dataclass(frozen=True)
class Target:
    """A goal: at most ``value`` bits per pixel or bytes, or at least ``value`` dB of PSNR."""

    kind: Kind
    value: float

    @property
    def is_rate(self) -> bool:
        """Whether the target limits bytes; else it is a PSNR."""
        return self.kind != "psnr"

    def goal(self, pixels: int) -> float:
        """The target in bytes, or in dB, for a picture of ``pixels`` pixels."""
        return self.value * pixels / 8 if self.kind == "bpp" else self.value


def target_of(bpp: float | None, size: float | None, psnr: float | None) -> Target | None:
    """The target that is given; None if none is. Raises UsageError for more than one."""
    wanted: dict[Kind, float | None] = {"bpp": bpp, "size": size, "psnr": psnr}
    given = [Target(kind, value) for kind, value in wanted.items() if value is not None]
    if len(given) > 1:
        raise UsageError("give one target")
    if any(not 0 < target.value < math.inf for target in given):
        raise UsageError("a target is a finite number above 0")
    return given[0] if given else None


@dataclass(frozen=True)
class Found:
    """A quality in 1..100, the bytes or dB measured there, and whether they meet the target."""

    quality: float
    measured: float
    met: bool


def reach(
    codec: Codec, picture: Rows, options: Encoding, target: Target
) -> tuple[Iterable[Record], float]:
    """Latents of a picture, and the quality at which they meet a target.

    The analysis runs once, and once more for each refinement. If no quality meets the target, the
    nearest one is used, with a note.

    Raises: NicError when no quality meets a strict target.
    """
    source = KeptPixels(picture)
    needed = options.refinement or not target.is_rate
    plain = replace(options, quality=None, refinement=0)
    latents = KeptRecords(codec.encode_rows(source.first if needed else picture, plain))
    search = _Search(codec, source, target)
    kept, found = search.refined(latents, options) if options.refinement else search.plain(latents)
    if not found.met:
        line = shortfall(found, target, picture.width * picture.height)
        if options.strict:
            raise NicError(line)
        log.warning("note: %s", line)
    log.info("note: quality %g", found.quality)
    return kept, found.quality


class _Search:
    """The search for one target and one picture."""

    def __init__(self, codec: Codec, source: KeptPixels, target: Target) -> None:
        self._codec, self._source, self._is_rate = codec, source, target.is_rate
        picture = source.picture
        self._goal = target.goal(picture.width * picture.height)

    def plain(self, latents: KeptRecords) -> tuple[KeptRecords, Found]:
        """The latents unchanged, and the quality at which they meet the goal."""
        return latents, self._found(latents, self._goal)

    def refined(self, latents: KeptRecords, options: Encoding) -> tuple[KeptRecords, Found]:
        """Latents refined for the quality at which they meet the goal, and this quality.

        They are refined for the quality at which the plain latents meet the goal. Then they have
        fewer bytes and another PSNR. So the goal is corrected by how far the result is from it,
        the plain latents give another quality, and the latents are refined again for that, up to
        ``REFINEMENTS`` times in all.
        """
        goal, aim, tried = self._goal, self._goal, dict[float, tuple[KeptRecords, Found]]()
        for _ in range(REFINEMENTS):
            quality = self._found(latents, aim).quality
            if quality in tried:
                break
            better = replace(options, quality=quality)
            refined = KeptRecords(self._codec.encode_rows(self._source.again, better))
            value = self._measure(refined, quality)
            met = value <= goal if self._is_rate else value >= goal
            tried[quality] = refined, Found(quality, value, met)
            aim = aim * SAFETY * goal / value if self._is_rate else aim + goal + SAFETY_DB - value
        fitting = [both for both in tried.values() if both[1].met]
        if not fitting:
            found = self._found(latents, goal)
            fitting = [(latents, found)] if found.met else list(tried.values())
        # If the target is met: the most bytes, or the least dB. If not: the nearest to it, which
        # is the fewest bytes, or the most dB.
        choose = max if self._is_rate == fitting[0][1].met else min
        return choose(fitting, key=lambda both: both[1].measured)

    def _found(self, latents: KeptRecords, goal: float) -> Found:
        return search(lambda quality: self._measure(latents, quality), goal, self._is_rate)

    def _measure(self, latents: KeptRecords, quality: float) -> float:
        """Bytes of the file, or PSNR in dB of the decoded picture."""
        if self._is_rate:
            codec = self._codec
            return sum(records.size(codec.forward(r, Stage.PACKED, quality)) for r in latents)
        return self._psnr(latents, quality)

    def _psnr(self, latents: KeptRecords, quality: float) -> float:
        """PSNR in dB of the pixels whose alpha is not zero, or of all if none is visible."""
        alpha = self._source.picture.alpha
        seen = alpha is not None and bool(alpha.any())
        symbols = (self._codec.forward(record, Stage.SYMBOLS, quality) for record in latents)
        bare = (replace(record, alpha=b"", extra=()) for record in symbols)
        original, error, samples, top = self._source.again, 0.0, 0, 0
        for _, part in self._codec.decode_strips(bare):
            rows = len(part.pixels)
            pixels = original.read(rows), part.pixels
            if seen and alpha is not None:
                visible = alpha[top : top + rows] > 0
                pixels = pixels[0][visible], pixels[1][visible]
            error += metrics.squared_error(*pixels)
            samples += pixels[0].size
            top += rows
        return metrics.psnr_of(error / samples)


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
    """Find a high quality with at most ``goal`` bytes, or a low one with at least ``goal`` dB.

    Regula falsi with the Illinois modification (Dowell and Jarratt, BIT 11, 1971), in hundredths
    of quality and in the logarithm of bytes.

    Args:
        measure: gives bytes or dB at a quality in 1..100; grows with quality, roughly. It is
            called at most ``PROBES`` times.
        goal: bytes if ``is_rate``, else dB.
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
