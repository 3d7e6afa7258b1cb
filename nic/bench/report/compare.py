"""Comparing two reports of the same kind: before and after."""

from typing import Any

from nic.bench import machine
from nic.bench.quality.summary import METRICS, curve, measured, percent
from nic.bench.report.tables import NOTHING, Table, seconds
from nic.bench.report.tables import percent as in_percent
from nic.errors import CorruptError, UsageError

Report = dict[str, Any]
Row = dict[str, Any]
KEY = ("codec", "backend", "device", "width", "height", "stage")


def compare(before: Report, after: Report) -> Report:
    """The differences of two reports, as a dict that ``json`` can write.

    Rows of quality match by codec and level; rows of speed match by codec, place, size and call.
    A model of nic is matched by the name on the command line, whatever its version. Rows that only
    one report has are left out.

    Raises: UsageError when the reports are of different kinds, of different pictures, or have
        nothing in common; CorruptError when a report is incomplete.
    """
    try:
        found = _compared(before, after)
        measured = [machine.in_words(report["machine"]) for report in (before, after)]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CorruptError(f"one is not a whole report of nic bench: {error!r}") from error
    if not found["rows"]:
        raise UsageError("the reports have nothing in common")
    return {"kind": "compare", "measured": measured, **found}


def _compared(before: Report, after: Report) -> Report:
    if before["kind"] != after["kind"]:
        raise UsageError(f"one report is of {before['kind']}, the other of {after['kind']}")
    if before["kind"] == "speed":
        return {"of": "speed", "rows": _speed(before, after)}
    if before["pictures"] != after["pictures"]:
        raise UsageError("the reports are of different pictures")
    return {
        "of": "quality",
        "bd_rates": _bd_rates(before, after),
        "rows": _levels(before, after),
    }


def tables(comparison: Report) -> list[Table]:
    """The comparison as tables."""
    if comparison["of"] == "speed":
        return [_speed_table(comparison["rows"])]
    return [_rate_table(comparison["bd_rates"]), _level_table(comparison["rows"])]


def notes(comparison: Report) -> list[str]:
    """Lines about the machine and the versions of each report."""
    names = ("Before", "After")
    return [f"{n}: {m}." for n, m in zip(names, comparison["measured"], strict=True)]


# -- speed ------------------------------------------------------------------------------------


def _speed(before: Report, after: Report) -> list[Row]:
    old, new = (_by_call(report) for report in (before, after))
    return [
        {"call": key, "before": old[key], "after": new[key]}
        | {"percent": round(100 * (new[key] / old[key] - 1), 1) if old[key] else None}
        for key in old
        if key in new
    ]


def _by_call(report: Report) -> dict[str, float]:
    """Median seconds, by a name of the call."""
    programs = {f"start of {row['program']}": row["median"] for row in report["programs"]}
    return programs | {_name(row): row["median"] for row in report["rows"]}


def _name(row: Row) -> str:
    codec, backend, device, width, height, stage = (row[key] for key in KEY)
    return f"{codec}, {backend} on {device}, {width}x{height}: {stage}"


def _speed_table(rows: list[Row]) -> Table:
    cells = [
        [row["call"], f"{row['before']:.6f}", f"{row['after']:.6f}", in_percent(row["percent"])]
        for row in rows
    ]
    return Table("Median seconds", ["call", "before", "after", "change"], cells)


# -- quality ----------------------------------------------------------------------------------


def _bd_rates(before: Report, after: Report) -> list[Row]:
    old, new = ({c["name"]: c["title"] for c in report["codecs"]} for report in (before, after))
    seconds = [{row["codec"]: row for row in report["seconds"]} for report in (before, after)]
    return [
        {"codec": name, "before": old[name], "after": new[name]}
        | {m: _rate(before, after, name, m) for m in METRICS}
        | {way: [found[name][way]["median"] if found else None for found in seconds]
           for way in ("encode", "decode")}
        for name in old
        if name in new
    ]  # fmt: skip


def _rate(before: Report, after: Report, codec: str, metric: str) -> float | None:
    return percent(*(curve(report["means"], codec, metric) for report in (before, after)))


def _rate_table(rows: list[Row]) -> Table:
    metrics = measured(rows)
    cells = [
        [row["before"], row["after"], *(in_percent(row[metric]) for metric in metrics)]
        + [" → ".join(map(seconds, row[way])) for way in ("encode", "decode")]
        for row in rows
    ]
    names = [METRICS[metric].split(",")[0] for metric in metrics]
    return Table(
        "Bytes after relative to before at equal quality (BD-rate)",
        ["before", "after", *names, "encode, s", "decode, s"],
        cells,
    )


def _levels(before: Report, after: Report) -> list[Row]:
    shared = set(measured(before["means"])) & set(measured(after["means"]))
    names = ("bpp", *(metric for metric in METRICS if metric in shared))
    old = {(row["codec"], row["level"]): row for row in before["means"]}
    return [
        {"codec": new["codec"], "level": new["level"]}
        | {n: None if None in (new[n], was[n]) else round(new[n] - was[n], 6) for n in names}
        for new in after["means"]
        if (was := old.get((new["codec"], new["level"]))) is not None
    ]


def _level_table(rows: list[Row]) -> Table:
    digits = {"bpp": 4, "psnr": 3, "ssim": 5, "ms_ssim": 5, "ssimulacra2": 2, "butteraugli": 3}
    metrics = measured(rows)
    cells = [
        [row["codec"], f"{row['level']:g}"]
        + [_difference(row[name], digits[name]) for name in ("bpp", *metrics)]
        for row in rows
    ]
    return Table(
        "Differences of the means, after less before",
        ["codec", "level", "bpp", *(METRICS[name] for name in metrics)],
        cells,
    )


def _difference(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:+.{digits}f}"
