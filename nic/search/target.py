"""Rate targets: the quality that makes a file of a size, or a picture of a PSNR.

Bytes and PSNR grow with quality, but not at every step of it: each quality has its own rounding
and its own choice of tables. So the search ends at a quality that is right, with neighbours
that are not or were not tried, and says so when none is.
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

FIRST, LAST = 100, 10000  # hundredths of quality, what a header can hold
REFINEMENTS = 3
SAFETY = 0.995  # part of the bytes asked for that is aimed at, as refining varies by as much
SAFETY_DB = 0.03  # likewise, above the PSNR asked for
PROBES = 12  # qualities tried at most: each costs an entropy coding, or a synthesis

Kind = Literal["bpp", "size", "psnr"]
UNITS = {"bpp": "bpp", "size": "bytes", "psnr": "dB"}


class Codec(Protocol):
    """What a search needs of ``nic.codec.Codec``."""

    def encode_rows(self, picture: Rows, options: Encoding | None = None) -> Iterator[Record]:
        """Records of latents."""

    def forward(self, record: Record, target: Stage, quality: float | None = None) -> Record:
        """The record at a later stage."""

    def decode_strips(self, records: Iterable[Record]) -> Iterator[tuple[Header, Picture]]:
        """Header and picture of every record."""


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


def target_of(bpp: float | None, size: float | None, psnr: float | None) -> Target | None:
    """The one target that is given; None without any. Raises UsageError."""
    wanted: dict[Kind, float | None] = {"bpp": bpp, "size": size, "psnr": psnr}
    given = [Target(kind, value) for kind, value in wanted.items() if value is not None]
    if len(given) > 1:
        raise UsageError("give one target")
    if any(not 0 < target.value < math.inf for target in given):
        raise UsageError("a target is a finite number above 0")
    return given[0] if given else None


@dataclass(frozen=True)
class Found:
    """A quality in 1..100 and what was measured there; ``met`` when the target is."""

    quality: float
    measured: float
    met: bool


def reach(
    codec: Codec, picture: Rows, options: Encoding, target: Target
) -> tuple[Iterable[Record], float]:
    """Latents of a picture, and the quality at which they meet a target.

    The picture is analysed once, and once more for each refinement.
    Raises: NicError when no quality meets a strict target; otherwise a note says so.
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
        """The latents as they are, and the quality that they need."""
        return latents, self._found(latents, self._goal)

    def refined(self, latents: KeptRecords, options: Encoding) -> tuple[KeptRecords, Found]:
        """Latents refined for the quality that they need, and that quality.

        They are refined for the quality that plain latents need; then again, up to
        ``REFINEMENTS`` times in all, for what those need for a goal that is corrected by how far
        from the true one the last refinement came out.
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
        # More is better of bytes that fit and of dB that fall short, less of the others.
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
        """PSNR in dB, strip by strip; pixels count where alpha is not zero, if that is anywhere."""
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
