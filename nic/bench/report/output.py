"""Reports of benchmarks as JSON and CSV, and tables shown on stdout."""

import csv
import io
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nic.bench.report.tables import Table
from nic.errors import CorruptError

Report = dict[str, Any]
# The keys that ``compare`` needs in a report of each kind.
PARTS = {
    "speed": ("machine", "programs", "rows"),
    "quality": ("machine", "pictures", "codecs", "means", "seconds"),
}


def to_json(report: Report) -> bytes:
    """The whole report as JSON."""
    return (json.dumps(report, indent=1) + "\n").encode()


def from_json(path: Path) -> Report:
    """Read a report that ``to_json`` wrote. Raises CorruptError, OSError."""
    try:
        report: Report = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"{path}: this is not JSON: {error}") from error
    parts = PARTS.get(str(report.get("kind"))) if isinstance(report, dict) else None
    if parts is None or not all(part in report for part in parts):
        raise CorruptError(f"{path}: this is not a whole report of nic bench speed or quality")
    return report


def to_csv(report: Report) -> bytes:
    """All measured rows as CSV: each is one picture at one level, or one call."""
    names = list(dict.fromkeys(name for row in report["rows"] for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(report["rows"])
    return text.getvalue().encode()


def show(tables: Iterable[Table], notes: Iterable[str]) -> None:
    """Print tables and notes: with drawn lines on a terminal, as Markdown elsewhere."""
    draw = _draw if sys.stdout.isatty() else _print_markdown
    for table in tables:
        draw(table)
    for note in notes:
        print(note)


def _draw(table: Table) -> None:
    from rich.console import Console
    from rich.table import Table as Drawing

    drawing = Drawing(title=table.title, title_justify="left")
    for number, name in enumerate(table.header):
        drawing.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in table.rows:
        drawing.add_row(*row)
    Console(highlight=False, markup=False).print(drawing, "")


def _print_markdown(table: Table) -> None:
    lines = [table.header, *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * widths[0], *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    print(f"{table.title}:\n")
    for first, *others in (table.header, rule, *table.rows):
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        print("| " + " | ".join([first.ljust(widths[0]), *cells]) + " |")
    print()
