"""One job done in this process: what it is told, and what became of it, for another one too."""

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nic.cli.batch.inputs import Job
from nic.cli.common.command import EXPECTED, about, exit_code, message, said

log = logging.getLogger("nic")

Act = Callable[[str, str | None], None]  # from a source to a target


class Outcome(NamedTuple):
    """What became of a job: its exit code, and lines for stderr without the program's name."""

    code: int
    notes: tuple[str, ...] = ()
    failure: str | None = None


Outcomes = Generator[tuple[int, Outcome], None, None]  # the number of a job, as it ends


@dataclass(frozen=True)
class Task:
    """What a worker is told at its start; picklable."""

    act: Act
    make_folders: bool = False
    level: int = logging.WARNING

    def __call__(self, job: Job) -> Outcome:
        """Do one job; every expected failure is an outcome."""
        with _notes(self.level) as notes:
            try:
                with about(job.source):
                    self.do(job)
            except EXPECTED as error:
                return Outcome(exit_code(error), tuple(notes), message(error))
        return Outcome(0, tuple(notes))

    def do(self, job: Job) -> None:
        """Do one job in this process; failures are raised."""
        if job.error is not None:
            raise job.error
        if self.make_folders and job.target is not None:
            Path(job.target).parent.mkdir(parents=True, exist_ok=True)
        self.act(job.source, job.target)


class _Collector(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(said(record))


@contextmanager
def _notes(level: int) -> Iterator[list[str]]:
    """The library's notes, collected instead of printed."""
    before, lines = (log.handlers[:], log.level), list[str]()
    log.handlers[:] = [_Collector(lines)]
    log.setLevel(level)
    try:
        yield lines
    finally:
        log.handlers[:] = before[0]
        log.setLevel(before[1])
