"""A report as tables of text, and notes below them."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from nic.bench import machine
from nic.bench.quality.summary import METRICS, SETTINGS, measured
from nic.bench.speed import reference, stages

Report = dict[str, Any]
Row = dict[str, Any]
NOTHING = "-"
MEGABYTE = 1e6
OWN = "nic "  # start of the names of our own codecs
PROGRAMS = ("nic compress", "nic decompress")
INTERRUPTED = "Interrupted: only finished measurements are shown."


class Table(NamedTuple):
    """A title, the names of the columns, and rows with one cell per column."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(report: Report) -> list[Table]:
    """The tables of a report of either kind; empty tables are left out."""
    made = _quality(report) if report["kind"] == "quality" else _speed(report)
    return [table for table in made if table.rows]


def notes(report: Report) -> list[str]:
    """Lines that explain the tables, and lines about what could not be measured."""
    lines = [INTERRUPTED] * (not report["complete"])
    lines.append(f"Measured with {machine.in_words(report['machine'])}.")
    if report["kind"] == "quality":
        lines += [_versions(report["codecs"])]
        lines += [TIMED_HOW.format(row["encode"]["repeats"]) for row in report["seconds"][:1]]
        lines += [f"Left out: {line}." for line in report["left_out"]]
    else:
        lines.append(f"Pictures: {', '.join(report['pictures'])}. {REPEATED_HOW}")
    return lines + [f"Not measured: {line}." for line in report["missing"]]


# -- quality ----------------------------------------------------------------------------------

TIMED_HOW = (
    "Seconds: median of {} runs, one at a time. Each codec is timed at the level whose PSNR is "
    "nearest to the first codec's PSNR at its middle level."
)


def _quality(report: Report) -> list[Table]:
    names = [codec["name"] for codec in report["codecs"]]
    own = [name for name in names if name.startswith(OWN)]
    return [*(_rates(report, name) for name in own), _ladder(report)]


def _rates(report: Report, own: str) -> Table:
    """One of nic's models against every other codec."""
    titles = {codec["name"]: codec["title"] for codec in report["codecs"]}
    rates = {
        (row["against"], row["metric"]): row["percent"]
        for row in report["bd_rates"]
        if row["codec"] == own
    }
    times = {row["codec"]: row for row in report["seconds"]}
    metrics = measured(report["means"])
    rows = [
        [title]
        + [percent(rates.get((name, metric))) for metric in metrics]
        + [
            seconds(times[name][way]["median"]) if name in times else NOTHING
            for way in ("encode", "decode")
        ]
        for name, title in _with_better(titles).items()
    ]
    names = [METRICS[metric].split(",")[0] for metric in metrics]
    return Table(
        f"Bytes of {titles[own]} relative to others at equal quality (BD-rate), "
        f"{len(report['pictures'])} pictures",
        ["against", *names, "encode, s", "decode, s"],
        rows,
    )


def _with_better(titles: dict[str, str]) -> dict[str, str]:
    """With a line for the better of a codec's settings, below the last of them."""
    lines: dict[str, str] = {}
    for name, title in titles.items():
        lines[name] = title
        lines |= {
            better: better
            for better, settings in SETTINGS.items()
            if name in settings and lines.keys() >= set(settings)
        }
    return lines


def _ladder(report: Report) -> Table:
    codecs = {codec["name"]: codec for codec in report["codecs"]}
    digits = {"psnr": 2, "ssim": 4, "ms_ssim": 4, "ssimulacra2": 1, "butteraugli": 3}
    metrics = measured(report["means"])
    rows = [
        [
            codecs[row["codec"]]["title"],
            f"{codecs[row['codec']]['parameter']} {row['level']:g}",
            number(row["bpp"], 3),
            *(number(row[name], digits[name]) for name in metrics),
        ]
        for row in report["means"]
    ]
    header = ["codec", "level", "bpp", *(METRICS[name] for name in metrics)]
    return Table("Means over the pictures", header, rows)


def _versions(codecs: Iterable[Row]) -> str:
    return "Versions: " + "; ".join(f"{c['title']}: {c['version']}" for c in codecs) + "."


# -- speed ------------------------------------------------------------------------------------

REPEATED_HOW = "Medians ± half the distance between the quartiles, without the first call."


def _speed(report: Report) -> list[Table]:
    return [_whole(report), _stages(report), _programs(report), _starts(report)]


def _place(row: Row) -> str:
    return f"{row['backend']}, {row['device'].upper()}"


def _size(row: Row) -> str:
    return f"{row['width']}x{row['height']}"


def _grouped(rows: Iterable[Row]) -> dict[tuple[str, str, str], dict[str, Row]]:
    """Rows by stage, for each (title, place, size)."""
    groups: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in rows:
        key = (row["title"], _place(row), _size(row))
        groups.setdefault(key, {})[row["stage"]] = row
    return groups


def _whole(report: Report) -> Table:
    """A table like the reference's: measured rows, ratios, then published rows."""
    calls = (*stages.NETWORK, *stages.CODEC)
    groups = _grouped(report["rows"])
    rows = []
    for (title, place, size), found in groups.items():
        rows.append([title, place, size, *(spread(found.get(call)) for call in calls)])
        other = groups.get((reference.NAME, place, size), {})
        if title != reference.NAME and other.keys() >= set(stages.NETWORK) <= found.keys():
            ratios = (other[call]["median"] / found[call]["median"] for call in stages.NETWORK)
            cells = [f"{ratio:.1f} times" for ratio in ratios]
            rows.append([f"{reference.NAME} / {title}", place, size, *cells, NOTHING, NOTHING])
    for row in report["published"]:
        times = (row[call.replace(" ", "_")] for call in calls)
        rows.append(
            [f"{row['codec']}, published", row["hardware"], _size(row), *map(seconds, times)]
        )
    header = ["codec", "on", "size", *(f"{call}, s" for call in calls)]
    return Table("Seconds per picture: networks alone, and pixels to file in memory", header, rows)


def _stages(report: Report) -> Table:
    names = (*stages.FORWARD, *stages.BACKWARD)
    groups = {k: found for k, found in _grouped(report["rows"]).items() if "read" in found}
    rows = [[name, *(spread(found.get(name), 1000) for found in groups.values())] for name in names]
    return Table("Every stage, ms", ["stage", *map(", ".join, groups)], rows if groups else [])


def _programs(report: Report) -> Table:
    rows = [
        [row["stage"], row["title"], _place(row), _size(row), spread(row), _megabytes(row)]
        for row in report["rows"]
        if row["stage"] in PROGRAMS
    ]
    return Table(
        "Programs, from shell to file",
        ["program", "model", "on", "size", "s", "peak memory, MB"],
        rows,
    )


def _starts(report: Report) -> Table:
    rows = [[row["program"], spread(row), _megabytes(row)] for row in report["programs"]]
    return Table(
        "What starting costs: a picture of 8x8 pixels", ["program", "s", "peak memory, MB"], rows
    )


# -- cells ------------------------------------------------------------------------------------


def number(value: float | None, digits: int) -> str:
    """A number with ``digits`` decimals."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """A signed percentage."""
    return NOTHING if value is None else f"{value:+.1f} %"


def seconds(value: float | None) -> str:
    """Seconds with about three digits, and at most four decimals."""
    if value is None:
        return NOTHING
    decimals = sum(value < limit for limit in (100, 10, 1, 0.1))
    return f"{value:.{decimals}f}"


def spread(row: Row | None, scale: float = 1) -> str:
    """The median ± half the distance between the quartiles, times ``scale``."""
    if row is None:
        return NOTHING
    return f"{seconds(scale * row['median'])} ±{seconds(scale * (row['high'] - row['low']) / 2)}"


def _megabytes(row: Row) -> str:
    return f"{row['peak'] / MEGABYTE:.0f}"
