"""Jobs in worker processes of this machine."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from nic.cli.batch.inputs import Job
from nic.cli.batch.job import Outcome, Outcomes, Task
from nic.cli.common.command import name_of
from nic.cli.common.interrupts import remove_unfinished
from nic.cli.common.temporary import remove_stale
from nic.errors import NicError
from nic.processes.pool import Death, as_finished


def in_workers(jobs: list[Job], task: Task, workers: int) -> Outcomes:
    """Yield the number and the outcome of every job, in the order in which they finish.

    An interrupt leaves no worker behind, and no temporary file. The death of a worker is the
    failure of its job.
    """
    with closing(as_finished(task, jobs, workers, _cleaning_up, _clean)) as results:
        for number, result in results:
            if isinstance(result, Death):
                name = name_of(jobs[number].source)
                error = NicError(f"{name}: the process that worked on it {result}")
                yield number, Outcome(error.exit_code, failure=str(error))
            else:
                yield number, result


@contextmanager
def _cleaning_up() -> Iterator[None]:
    try:
        yield
    finally:
        remove_unfinished()


def _clean(job: Job) -> None:
    """Remove the temporary output of a dead worker."""
    if job.target is not None:
        remove_stale([job.target])
