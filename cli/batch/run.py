"""Batches: many files, with progress and ordered messages; a failure stops no other file."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Generic, TypeVar

import click

from nic.cli.batch.dask import in_cluster
from nic.cli.batch.inputs import Inputs, Job, without_existing
from nic.cli.batch.job import Outcome, Outcomes, Task
from nic.cli.batch.one_file import Compress, Decompress, keep_or_remove
from nic.cli.common.command import attempt, gravity, log, program_name
from nic.cli.common.temporary import remove_stale
from nic.errors import UsageError
from nic.resources import cores

Advance = Callable[[], None]
How = TypeVar("How", Compress, Decompress)


@dataclass(frozen=True)
class Batch(Generic[How]):
    """The work on many files, and where it is done: here, in worker processes, or in a cluster."""

    inputs: Inputs
    convert: Callable[..., None]  # (source, target or None for stdout, how)
    how: How
    workers: int = 1
    scheduler: str | None = None

    def run(self) -> None:
        """Do all jobs and exit with the code of the most severe failure.

        Raises: UsageError before any work.
        """
        if self.inputs.skip_existing and self.how.force:
            raise UsageError("--skip-existing keeps what -f replaces; give one of them")
        jobs = self.inputs.jobs()
        remove_stale([job.target for job in jobs if job.target not in (None, "-")])
        if self.inputs.skip_existing:
            jobs = without_existing(jobs)
        workers = min(self.workers, len(jobs))
        if self.scheduler is None and workers <= 1:
            code = self._here(jobs)
        else:
            self._refuse_streams(jobs)
            code = self._elsewhere(jobs, workers)
        click.get_current_context().exit(code)

    def _refuse_streams(self, jobs: list[Job]) -> None:
        if any(job.source == "-" or job.target == "-" for job in jobs):
            raise UsageError("stdin and stdout need a single process; leave out -j and --scheduler")

    def _task(self, how: How) -> Task:
        act = partial(self.convert, how=how)
        folders = self.inputs.output_dir is not None
        return Task(act, folders, log.level, self.inputs.skip_existing)

    def _here(self, jobs: list[Job]) -> int:
        task, worst = self._task(replace(self.how, is_only=len(jobs) == 1)), 0
        with _progress(len(jobs)) as advance:
            for job in jobs:
                worst = max(worst, attempt(job.source, partial(task.do, job)), key=gravity)
                advance()
        return worst

    def _elsewhere(self, jobs: list[Job], workers: int) -> int:
        if self.scheduler is None:
            from nic.cli.batch.processes import in_workers

            threads = self.how.settings.threads or max(1, cores() // workers)
            shared = replace(self.how.settings, threads=threads, processes=workers)
            task = self._task(replace(self.how, settings=shared))
            outcomes = in_workers(jobs, task, workers)
        else:
            task = self._task(replace(self.how, keep=True))
            every = in_cluster(jobs, task, self.how.force, self.scheduler)
            outcomes = self._removing(jobs, every)
        with closing(outcomes), _progress(len(jobs)) as advance:
            return _report(outcomes, advance)

    def _removing(self, jobs: list[Job], outcomes: Outcomes) -> Outcomes:
        """Yield the outcomes; remove the sources of successful jobs if ``how`` says so."""
        with closing(outcomes):
            for number, outcome in outcomes:
                if outcome.code == 0:
                    keep_or_remove(jobs[number].source, jobs[number].target, self.how.keep)
                yield number, outcome


def _report(outcomes: Outcomes, advance: Advance) -> int:
    """Print outcomes in the order of the jobs, each as early as possible.

    Returns: the exit code of the most severe failure, 0 without any.
    """
    program = program_name(click.get_current_context())
    held: dict[int, Outcome] = {}
    worst = following = 0
    for number, outcome in outcomes:
        held[number] = outcome
        worst = max(worst, outcome.code, key=gravity)
        advance()
        while following in held:
            _print(held.pop(following), program)
            following += 1
    return worst


def _print(outcome: Outcome, program: str) -> None:
    for note in outcome.notes:
        click.echo(f"nic: {note}", err=True)
    if outcome.failure is not None:
        click.echo(f"{program}: {outcome.failure}", err=True)


@contextmanager
def _progress(total: int) -> Iterator[Advance]:
    """Show a progress bar on stderr, if it is a terminal and there is more than one file."""
    if total < 2 or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        *Progress.get_default_columns()[:2],
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, rate="")
        start, done = monotonic(), 0

        def advance() -> None:
            nonlocal done
            done += 1
            bar.update(task, advance=1, rate=f"{done / (monotonic() - start):.2g} files/s")

        yield advance
