"""Many files in, many files out: names, progress, and failures that stop nothing else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from nic.cli.command import attempt
from nic.errors import UsageError


def run_batch(
    files: tuple[str, ...],
    output: str | None,
    output_dir: str | None,
    extension: str,
    convert: Callable[[str, str | None], None],
) -> None:
    """Call ``convert(source, target)`` for every file; exit with the gravest failure.

    A target is None for stdout. Raises UsageError when the outputs cannot be told apart.
    """
    sources = files or ("-",)
    if output is not None and (len(sources) > 1 or output_dir is not None):
        raise UsageError("-o names one output: give one FILE and no --output-dir")
    targets = [output or _target(source, output_dir, extension) for source in sources]
    named = [target for target in targets if target is not None]
    if twice := {target for target in named if named.count(target) > 1}:
        raise UsageError(f"several inputs would be written to {min(twice)}")
    worst = 0
    with _progress(len(sources)) as advance:
        for source, target in zip(sources, targets, strict=True):
            worst = max(worst, attempt(source, partial(convert, source, target)))
            advance()
    click.get_current_context().exit(worst)


def _target(source: str, output_dir: str | None, extension: str) -> str | None:
    if source == "-":
        return None
    path = Path(source).with_suffix(f".{extension}")
    return str(Path(output_dir) / path.name if output_dir is not None else path)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr when that is a terminal and there is more than one file."""
    if total < 2 or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)
