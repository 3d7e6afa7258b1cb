"""Targets: the search for the quality that meets a rate, a PSNR or a score of SSIMULACRA 2.

Bytes, PSNR and scores grow with quality, but not in every small step, because each quality has
its own rounding and its own tables. So the search finds a quality that meets the target, and need
not find the very best one. A note says when no quality meets the target.
"""

import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from nic.errors import NicError, UsageError
from nic.format import records
from nic.format.header import Header
from nic.format.records import Record, Stage
from nic.picture import perceptual
from nic.picture.pixels import Picture
from nic.picture.rows import Rows
from nic.search import distortion
from nic.search.kept import KeptPixels, KeptRecords
from nic.search.quality import Found, search
from nic.settings import Encoding

log = logging.getLogger("nic")

# A second search for better latents aims at this part of the bytes, or so much higher in
# distortion, because the results of two searches vary by about as much.
SAFETY = 0.995
HIGHER = {"psnr": 0.05, "ssimulacra2": 0.3}
SAVED = 0.02  # part of the bytes that a search saves in nearly every picture
# A search ends when it is this little above its goal. Measuring a score takes seconds, and nobody
# sees less than a tenth of a point.
CLOSE = {"ssimulacra2": 0.1}

Kind = Literal["bpp", "size", "psnr", "ssimulacra2"]
UNITS = {"bpp": "bpp", "size": "bytes", "psnr": "dB", "ssimulacra2": "in SSIMULACRA 2"}
MOST = {"ssimulacra2": 100}  # the greatest value of a target


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
    """A goal: at most ``value`` bits per pixel or bytes, or at least a PSNR or a score."""

    kind: Kind
    value: float

    @property
    def is_rate(self) -> bool:
        """Whether the target limits bytes; else it demands a quality of the decoded picture."""
        return self.kind in ("bpp", "size")

    def goal(self, pixels: int) -> float:
        """The target in bytes, dB or points, for a picture of ``pixels`` pixels."""
        return self.value * pixels / 8 if self.kind == "bpp" else self.value


def target_of(
    bpp: float | None, size: float | None, psnr: float | None, ssimulacra2: float | None
) -> Target | None:
    """The target that is given; None if none is.

    Raises: UsageError for more than one, for a value out of range, and for a score when the
        package that measures it is not installed.
    """
    wanted: dict[Kind, float | None] = {
        "bpp": bpp, "size": size, "psnr": psnr, "ssimulacra2": ssimulacra2,
    }  # fmt: skip
    given = [Target(kind, value) for kind, value in wanted.items() if value is not None]
    if len(given) > 1:
        raise UsageError("give one target")
    for target in given:
        if not 0 < target.value < math.inf:
            raise UsageError("a target is a finite number above 0")
        if target.value > MOST.get(target.kind, math.inf):
            raise UsageError(f"a score of SSIMULACRA 2 is at most {MOST[target.kind]}")
        if target.kind == "ssimulacra2":
            perceptual.require()
    return given[0] if given else None


def reach(
    codec: Codec, picture: Rows, options: Encoding, target: Target
) -> tuple[Iterable[Record], float]:
    """Latents of a picture, and the quality at which they meet a target.

    With an effort, better latents are searched at the end; and once more if they miss the target.
    If no quality meets it, the nearest one is used, with a note.

    Raises: NicError when no quality meets a strict target, UsageError when the picture is too small
        for the measure.
    """
    if target.kind == "ssimulacra2":
        distortion.check_sides(picture.width, picture.height)
    source = KeptPixels(picture)
    searches = options.effort > 1
    needed = searches or not target.is_rate
    plain = replace(options, quality=None, effort=1)
    latents = KeptRecords(codec.encode_rows(source.first if needed else picture, plain))
    search = _Search(codec, source, target)
    kept, found = search.better(latents, options) if searches else search.plain(latents)
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
        self._codec, self._source, self._kind = codec, source, target.kind
        self._is_rate = target.is_rate
        picture = source.picture
        self._goal = target.goal(picture.width * picture.height)

    def plain(self, latents: KeptRecords) -> tuple[KeptRecords, Found]:
        """The latents unchanged, and the quality at which they meet the goal."""
        return latents, self._found(latents, self._goal)

    def better(self, latents: KeptRecords, options: Encoding) -> tuple[KeptRecords, Found]:
        """Better latents for the quality at which they meet the goal, and this quality.

        They are searched for the quality at which the plain latents meet it, or nearly do so. If
        they miss it, as they have another rate and distortion, then they are searched once more,
        for a goal that is corrected by how far they missed it. If they miss it again, the plain
        latents are taken.
        """
        aim = self._goal * (1 + SAVED) if self._is_rate else self._goal
        tried = dict[float, tuple[KeptRecords, Found]]()
        for _ in range(2):
            quality = self._found(latents, aim).quality
            if quality in tried:
                break
            exact = replace(options, quality=quality)
            found = KeptRecords(self._codec.encode_rows(self._source.again, exact))
            value = self._measure(found, quality)
            met = value <= self._goal if self._is_rate else value >= self._goal
            tried[quality] = found, Found(quality, value, met)
            if met:
                return tried[quality]
            if self._is_rate:
                aim *= SAFETY * self._goal / value
            else:
                aim += self._goal - value + HIGHER[self._kind]
        plain = self.plain(latents)
        if plain[1].met:
            return plain
        # The nearest to the target: the fewest bytes, or the least distortion.
        choose = min if self._is_rate else max
        return choose(tried.values(), key=lambda both: both[1].measured)

    def _found(self, latents: KeptRecords, goal: float) -> Found:
        close = CLOSE.get(self._kind, 0)
        return search(lambda q: self._measure(latents, q), goal, self._is_rate, close)

    def _measure(self, latents: KeptRecords, quality: float) -> float:
        """Bytes of the file, or PSNR in dB or score of the decoded picture."""
        if self._is_rate:
            codec = self._codec
            return sum(records.size(codec.forward(r, Stage.PACKED, quality)) for r in latents)
        strips = self._strips(latents, quality)
        if self._kind == "psnr":
            return distortion.psnr(strips)
        picture = self._source.picture
        return distortion.ssimulacra2(strips, picture.width, picture.height)

    def _strips(self, latents: KeptRecords, quality: float) -> Iterator[distortion.Strip]:
        """The decoded picture beside the original.

        Pixels whose alpha is not zero are visible, or all pixels if there are none.
        """
        alpha = self._source.picture.alpha
        seen = alpha if alpha is not None and alpha.any() else None
        symbols = (self._codec.forward(record, Stage.SYMBOLS, quality) for record in latents)
        bare = (replace(record, alpha=b"", extra=()) for record in symbols)
        original, top = self._source.again, 0
        for _, part in self._codec.decode_strips(bare):
            rows = len(part.pixels)
            visible = None if seen is None else seen[top : top + rows] > 0
            yield distortion.Strip(original.read(rows), part.pixels, visible)
            top += rows


def shortfall(found: Found, target: Target, pixels: int) -> str:
    """One line about a target that no quality meets."""
    goal = f"{target.value:.10g} {UNITS[target.kind]}"
    if not target.is_rate:
        unit = f" {UNITS['psnr']}" if target.kind == "psnr" else ""
        return f"no quality reaches {goal}: {found.measured:.2f}{unit} at quality {found.quality:g}"
    rate = 8 * found.measured / pixels if target.kind == "bpp" else found.measured
    return (
        f"no quality fits into {goal}: {rate:.6g} {UNITS[target.kind]} at quality {found.quality:g}"
    )
