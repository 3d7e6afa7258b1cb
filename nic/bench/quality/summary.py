"""Summary of the rows of a quality run: means, rates at equal quality, and speed."""

import statistics
from collections.abc import Sequence
from functools import partial
from operator import neg
from typing import Any

from nic.bench.codecs import Coder
from nic.bench.quality.bdrate import Point, bd_rate, in_decibels
from nic.bench.speed.timing import Timing, sample
from nic.types import Pixels

Row = dict[str, Any]
METRICS = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "ssimulacra2": "SSIMULACRA 2",
    "butteraugli": "Butteraugli, 3-norm",
}
SIMILARITIES = ("ssim", "ms_ssim")  # compared in decibels
DISTANCES = ("butteraugli",)  # lower is better, so they are compared with the opposite sign
# Settings of one codec, each of which is best in some metrics.
SETTINGS = {"AVIF, better of both": ("avif-iq", "avif-ssim")}
TIMED = 3  # pictures whose coding is timed
REPEATS = 3  # runs per picture


def means(rows: Sequence[Row]) -> list[Row]:
    """The means over all pictures for every codec and level, in the order of the rows."""
    groups: dict[tuple[str, float], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["codec"], row["level"]), []).append(row)
    return [
        {"codec": codec, "level": level}
        | {name: _mean([row[name] for row in group]) for name in ("bpp", *METRICS)}
        for (codec, level), group in groups.items()
    ]


def _mean(values: Sequence[float | None]) -> float | None:
    finite = [value for value in values if value is not None]
    return round(statistics.fmean(finite), 6) if len(finite) == len(values) else None


def curve(rows: Sequence[Row], codec: str, metric: str) -> list[Point]:
    """The curve of a codec, from rows of means: (bpp, quality).

    Similarities are in decibels, distances negative. The curve is empty for a metric that was not
    measured, or that an older report lacks.
    """
    scale = in_decibels if metric in SIMILARITIES else neg if metric in DISTANCES else float
    mine = [row for row in rows if row["codec"] == codec and row.get(metric) is not None]
    return [(row["bpp"], scale(row[metric])) for row in mine]


def measured(rows: Sequence[Row]) -> list[str]:
    """The metrics of which any row has a value."""
    return [name for name in METRICS if any(row.get(name) is not None for row in rows)]


def bd_rates(names: Sequence[str], own: int, rows: Sequence[Row]) -> list[Row]:
    """BD-rates of the first ``own`` codecs against every other one, by every metric.

    A codec in ``SETTINGS`` of which all settings were measured has a line for the better one.
    """
    pairs = [(codec, other) for codec in names[:own] for other in names if other != codec]
    single: list[Row] = [
        {"codec": codec, "against": other, "metric": metric}
        | {"percent": percent(curve(rows, other, metric), curve(rows, codec, metric))}
        for codec, other in pairs
        for metric in METRICS
    ]
    found = {(row["codec"], row["against"], row["metric"]): row["percent"] for row in single}
    return single + [
        {"codec": codec, "against": title, "metric": metric}
        | {"percent": _largest([found[codec, other, metric] for other in settings])}
        for codec in names[:own]
        for title, settings in SETTINGS.items()
        if set(settings) <= set(names)
        for metric in METRICS
    ]


def _largest(values: Sequence[float | None]) -> float | None:
    """The BD-rate against the better setting: the fewer bytes it needs, the larger that is."""
    return max((value for value in values if value is not None), default=None)


def percent(anchor: Sequence[Point], test: Sequence[Point]) -> float | None:
    """BD-rate with two decimals; None if ``bd_rate`` has none."""
    rate = bd_rate(anchor, test)
    return None if rate is None else round(rate, 2)


def time_all(coders: Sequence[Coder], pictures: Sequence[Pixels], rows: Sequence[Row]) -> list[Row]:
    """How long each codec takes at about the same quality, one run at a time.

    The quality is the PSNR of the first codec at its middle level. The others are timed at the
    level with the nearest PSNR, or at their middle level if no PSNR is finite.
    """
    own = [row for row in rows if row["codec"] == coders[0].name]
    target = own[len(own) // 2]["psnr"]
    return [_time(coder, pictures, _nearest(rows, coder.name, target)) for coder in coders]


def _nearest(rows: Sequence[Row], codec: str, psnr: float | None) -> Row:
    mine = [row for row in rows if row["codec"] == codec]
    finite = [row for row in mine if row["psnr"] is not None]
    if psnr is None or not finite:
        return mine[len(mine) // 2]
    return min(finite, key=lambda row: abs(row["psnr"] - psnr))


def _time(coder: Coder, pictures: Sequence[Pixels], at: Row) -> Row:
    encoding: list[float] = []
    decoding: list[float] = []
    for pixels in pictures:
        file = coder.encode(pixels, at["level"])
        encoding += sample(partial(coder.encode, pixels, at["level"]), REPEATS)
        decoding += sample(partial(coder.decode, file), REPEATS)
    return {
        **{name: at[name] for name in ("codec", "level", "bpp", "psnr")},
        "encode": Timing.of(encoding).row(),
        "decode": Timing.of(decoding).row(),
    }
