"""What the commands of nic bench share: progress, and reports as files and tables."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, BinaryIO

import click

from nic.cli.common.command import attempt, fail
from nic.cli.common.files import writing
from nic.errors import NicError, UsageError

Report = dict[str, Any]
INTERRUPTED = 130  # the exit code of a program that SIGINT ended


@contextmanager
def opened(
    json: str | None, csv: str | None, plot: str | None, force: bool
) -> Iterator[Callable[[Report], int]]:
    """What prints a report and writes its files, which are opened before the work, not after.

    It returns the exit code; a file that cannot be written stops neither others nor the tables.
    """
    from nic.bench.report import output as reports
    from nic.bench.report import plot as plots

    kind = plots.check(plot) if plot is not None else ""
    outputs: list[tuple[str | None, Callable[[Report], bytes]]] = [
        (json, reports.to_json),
        (csv, reports.to_csv),
        (plot, lambda report: plots.draw(report, kind)),
    ]
    paths = [path for path, _ in outputs if path is not None]
    if len(set(map(os.path.abspath, paths))) < len(paths):
        raise UsageError("every output needs a file of its own")
    with ExitStack() as stack:
        files = []
        for path, make in outputs:
            if path is not None:
                context = stack.enter_context(ExitStack())
                file = context.enter_context(writing(path, force))
                files.append((path, partial(_write, context, file, make)))
        yield lambda report: _finish(report, files)


def _write(
    context: ExitStack, file: BinaryIO, make: Callable[[Report], bytes], report: Report
) -> None:
    with context:  # which ends here: the file gets its name
        file.write(make(report))


def _finish(report: Report, files: Sequence[tuple[str, Callable[[Report], None]]]) -> int:
    """Write all files, then print, unless stdout is one of the files; the exit code."""
    from nic.bench.report import output as reports
    from nic.bench.report import tables

    if not report["rows"] and not report.get("programs"):
        context = click.get_current_context()
        fail(context, NicError("ended before anything was finished"))
        context.exit(INTERRUPTED)  # which raises, so that no file appears
    codes = [attempt(path, partial(write, report)) for path, write in files]
    if "-" not in dict(files):
        reports.show(tables.tables(report), tables.notes(report))
    if not report["complete"]:
        return INTERRUPTED
    return max([*codes, int(bool(report.get("left_out")))])


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar with the time left, on stderr when that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda what: None
        return
    from rich.console import Console
    from rich.progress import Progress, TimeRemainingColumn

    columns = (*Progress.get_default_columns()[:3], TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda what: bar.update(task, advance=1, description=what)
