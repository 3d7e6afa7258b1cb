"""Plots of a report. They are readable without colour: every codec has its own marker."""

import importlib.util
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nic.bench.quality.bdrate import Point
from nic.bench.quality.summary import DISTANCES, METRICS, SIMILARITIES, curve, percent
from nic.bench.report.tables import seconds
from nic.bench.speed import stages
from nic.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Report = dict[str, Any]
Row = dict[str, Any]
FORMATS = ("png", "svg")
# Okabe and Ito's colours, which colour-blind people can distinguish too; nic is black.
COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#999999")
MARKERS = "osD^vP*X"
HATCHES = ("", "//", "..", "xx")
SETTINGS = {"font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "svg.hashsalt": "nic"}


def check(path: str) -> str:
    """The format by the extension of a file name.

    Raises: UsageError for another extension, or when matplotlib is not installed.
    """
    found = path.rpartition(".")[2].lower()
    if found not in FORMATS:
        raise UsageError(f"{path}: a plot is a .png or .svg file")
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError("a plot needs matplotlib: pip install 'nic-codec[bench]'")
    return found


def draw(report: Report, file_format: str) -> bytes:
    """The plot of a report of either kind, as a PNG or SVG file."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        figure = Figure(layout="constrained")
        (_quality if report["kind"] == "quality" else _speed)(figure, report)
        file = io.BytesIO()
        metadata = {"Date": None} if file_format == "svg" else {}
        figure.savefig(file, format=file_format, dpi=150, metadata=metadata)
        return file.getvalue()


def _style(number: int) -> Row:
    of = number % len(COLOURS)
    line = "-" if number == of else "--"  # distinguishes the ninth codec from the first
    shape = {"color": COLOURS[of], "marker": MARKERS[of], "markersize": 5, "linestyle": line}
    return {**shape, "linewidth": 1.2 if number else 2, "zorder": 2 if number else 3}


# -- quality ----------------------------------------------------------------------------------


def _quality(figure: "Figure", report: Report) -> None:
    """Draw a diagram of curves per metric, and one of seconds and size at equal PSNR."""
    from matplotlib.lines import Line2D

    figure.set_size_inches(11.5, 8.5)
    first = report["codecs"][0]["name"]
    metrics = [metric for metric in METRICS if _points(report, first, metric)]
    grid = figure.subplots(2, 3).ravel()
    for axes, metric in zip(grid, metrics, strict=False):
        _curves(axes, report, metric)
    timed = bool(report["seconds"]) and "psnr" in metrics
    if timed:
        _speed_and_size(grid[len(metrics)], report)
    for axes in grid[len(metrics) + timed :]:
        axes.axis("off")
    lines = [Line2D([], [], label=c["title"], **_style(n)) for n, c in enumerate(report["codecs"])]
    figure.legend(handles=lines, loc="outside lower center", ncols=3, frameon=False, fontsize=10)
    figure.suptitle(f"Means of {len(report['pictures'])} pictures")


def _points(report: Report, codec: str, metric: str) -> list[Point]:
    """The finite points of a codec's curve; the similarity of equal pictures is infinite."""
    return [p for p in curve(report["means"], codec, metric) if math.isfinite(p[1])]


def _curves(axes: "Axes", report: Report, metric: str) -> None:
    for number, codec in enumerate(report["codecs"]):
        points = _points(report, codec["name"], metric)
        if points:
            axes.plot(*zip(*points, strict=True), **_style(number))
    own = _points(report, report["codecs"][0]["name"], metric)
    rates, values = zip(*own, strict=True)
    margin = (max(values) - min(values)) / 3 or 1  # 1 if there is a single level
    axes.set_xlim(0, 1.6 * max(rates))
    axes.set_ylim(min(values) - 2 * margin, max(values) + 2 * margin)
    scale = ", -10 log10(1 - s)" if metric in SIMILARITIES else ""
    sign = "-" if metric in DISTANCES else ""  # up is better in every panel
    axes.set(xlabel="bits per pixel", ylabel=f"{sign}{METRICS[metric]}{scale}")


def _speed_and_size(axes: "Axes", report: Report) -> None:
    """Draw seconds and bytes at equal PSNR; the bytes of the first codec are 100."""
    curves = {c["name"]: curve(report["means"], c["name"], "psnr") for c in report["codecs"]}
    first = report["codecs"][0]["name"]
    for number, row in enumerate(report["seconds"]):
        size = percent(curves[first], curves[row["codec"]])
        if size is not None:
            times = [row[way]["median"] for way in ("encode", "decode")]
            style = {**_style(number), "linewidth": 0.8}
            axes.plot(times, [100 + size] * 2, **{**style, "marker": "", "linestyle": ":"})
            axes.plot(times[0], 100 + size, **style)
            axes.plot(times[1], 100 + size, **style, fillstyle="none")
    _in_seconds(axes)
    title = report["codecs"][0]["title"]
    axes.set(xlabel="seconds: filled to encode, open to decode")
    axes.set(ylabel=f"bytes at equal PSNR, {title} = 100")


def _in_seconds(axes: "Axes") -> None:
    """Make the x axis logarithmic, with labels such as 0.1 in place of powers of ten."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")


# -- speed ------------------------------------------------------------------------------------


def _speed(figure: "Figure", report: Report) -> None:
    """Draw bars of networks and codec, measured and published, one panel per size."""
    calls = (*stages.NETWORK, *stages.CODEC)
    bars = _bars(report, calls)
    sizes = list(dict.fromkeys(size for size, _ in bars))
    rows = [len([1 for size, _ in bars if size == each]) for each in sizes]
    figure.set_size_inches(10, 1.5 + 0.75 * sum(rows))
    grid = figure.subplots(len(sizes), 1, height_ratios=rows, sharex=True, squeeze=False).ravel()
    for axes, size in zip(grid, sizes, strict=True):
        _panel(axes, size, {name: t for (s, name), t in bars.items() if s == size}, calls)
    grid[0].legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    grid[-1].set_xlabel("seconds")


def _bars(report: Report, calls: Sequence[str]) -> dict[tuple[str, str], dict[str, float]]:
    """Seconds by call, for each (size, name)."""
    bars: dict[tuple[str, str], dict[str, float]] = {}
    for row in report["rows"]:
        if row["stage"] in calls:
            key = (
                f"{row['width']}x{row['height']}",
                f"{row['title']}\n{row['backend']}, {row['device']}",
            )
            bars.setdefault(key, {})[row["stage"]] = row["median"]
    for row in report["published"]:
        key = f"{row['width']}x{row['height']}", f"{row['codec']}\npublished, {row['hardware']}"
        bars[key] = {call: row[call.replace(" ", "_")] for call in calls}
    return bars


def _panel(
    axes: "Axes", size: str, bars: dict[str, dict[str, float]], calls: Sequence[str]
) -> None:
    thickness = 0.8 / len(calls)
    for number, call in enumerate(calls):
        at = [y + (number - (len(calls) - 1) / 2) * thickness for y in range(len(bars))]
        lengths = [times.get(call) or math.nan for times in bars.values()]
        style: Row = {
            "facecolor": COLOURS[number + 1],
            "hatch": HATCHES[number],
            "edgecolor": "white",
        }
        bars_drawn = axes.barh(at, lengths, thickness, label=call, **style)
        labels = ["" if math.isnan(length) else seconds(length) for length in lengths]
        axes.bar_label(bars_drawn, labels, padding=2, fontsize=6)
    axes.set_yticks(range(len(bars)), list(bars))
    axes.set_ylim(len(bars) - 0.5, -0.5)
    _in_seconds(axes)
    axes.margins(x=0.08)
    axes.grid(axis="y", visible=False)
    axes.set_title(size, loc="left")
