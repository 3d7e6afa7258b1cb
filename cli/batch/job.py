"""One job: how it is done, and its outcome as another process can receive it."""

import logging
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nic.cli.batch.inputs import Job
from nic.cli.common.command import EXPECTED, about, exit_code, message, said
from nic.cli.common.temporary import wait_for_others
from nic.errors import NicError

log = logging.getLogger("nic")

Act = Callable[[str, str | None], None]  # makes a target from a source


class Outcome(NamedTuple):
    """The outcome of a job: its exit code, and lines for stderr without the program's name."""

    code: int
    notes: tuple[str, ...] = ()
    failure: str | None = None


Outcomes = Generator[tuple[int, Outcome], None, None]  # (number of the job, its outcome)


@dataclass(frozen=True)
class Task:
    """The work that is done for each job; picklable, so that a worker can receive it.

    Attributes:
        act: does the work on one file.
        make_folders: make the folders of outputs.
        level: the level of log messages that are collected.
        skip_existing: leave out a job whose output another process makes meanwhile.
    """

    act: Act
    make_folders: bool = False
    level: int = logging.WARNING
    skip_existing: bool = False

    def __call__(self, job: Job) -> Outcome:
        """Do one job; return its outcome, also for an expected failure."""
        with _notes(self.level) as notes:
            try:
                with about(job.source):
                    self.do(job)
            except EXPECTED as error:
                return Outcome(exit_code(error), tuple(notes), message(error))
        return Outcome(0, tuple(notes))

    def do(self, job: Job) -> None:
        """Do one job. Raises its failures."""
        if job.error is not None:
            raise job.error
        if self.make_folders and job.target is not None:
            Path(job.target).parent.mkdir(parents=True, exist_ok=True)
        if not self.skip_existing or job.target in (None, "-"):
            self.act(job.source, job.target)
        else:
            self._do_once(job.source, job.target)

    def _do_once(self, source: str, target: str) -> None:
        """Do a job unless another process does it; two calls for one folder share the work."""
        wait_for_others(target)
        if os.path.isfile(target):
            return
        try:
            self.act(source, target)
        except (NicError, FileNotFoundError):  # another process made it, or removed the source
            if not os.path.isfile(target):
                raise


class _Collector(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(said(record))


@contextmanager
def _notes(level: int) -> Iterator[list[str]]:
    """Collect the library's notes in a list instead of printing them."""
    before, lines = (log.handlers[:], log.level), list[str]()
    log.handlers[:] = [_Collector(lines)]
    log.setLevel(level)
    try:
        yield lines
    finally:
        log.handlers[:] = before[0]
        log.setLevel(before[1])
