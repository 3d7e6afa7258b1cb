"""The same jobs on a Dask cluster, whose workers share the file system with this process.

Dask runs a task again when its worker is lost, also one that had written its file and did not
live to say so. So here an output that is there already is a job that is done; what existed
before is refused before anything is submitted, and sources are removed by this process.
"""

import logging
import os
import threading
from dataclasses import dataclass
from typing import Any

from nic.cli.batch.inputs import Job, absolute
from nic.cli.batch.job import Outcome, Outcomes, Task
from nic.cli.common.command import about, exit_code, message
from nic.cli.common.files import refuse, remove_stale
from nic.errors import NicError, UsageError

ONE_AT_A_TIME = threading.Lock()  # a worker may have threads; the networks are for one


@dataclass(frozen=True)
class _Again:
    """A task that may run more than once."""

    task: Task
    force: bool

    def __call__(self, job: Job, name: str) -> Outcome:
        with ONE_AT_A_TIME:
            if job.target is not None:
                remove_stale([job.target])
                if os.path.isfile(job.target) and not self.force:
                    return Outcome(0)
            code, notes, failure = self.task(job)
        shown = failure.replace(job.source, name) if failure is not None else None
        return Outcome(code, tuple(note.replace(job.source, name) for note in notes), shown)


def in_cluster(jobs: list[Job], task: Task, force: bool, address: str) -> Outcomes:
    """The number and outcome of every job, as they come.

    Raises: UsageError without Dask or a usable address, NicError when no scheduler answers.
    """
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise UsageError("Dask is not installed: pip install 'nic-codec[dask]'") from error
    if address.partition("://")[0] not in ("tcp", "tls", address):
        raise UsageError(f"{address}: the scheduler's address is tcp://HOST:PORT")
    for name in ("distributed", "distributed.client"):  # failures have lines of their own
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = Client(address)  # the time to wait for it is part of Dask's configuration
    except (OSError, ValueError) as error:
        raise NicError(f"{address}: no Dask scheduler answers: {error}") from error
    again = _Again(task, force)
    with client:
        numbers = {}
        for number, job in enumerate(jobs):
            refused = _refused(job, force)
            if refused is not None:
                yield number, refused
                continue
            future = client.submit(again, absolute(job), job.source, pure=False)
            numbers[future] = number
        try:
            for future in as_completed(list(numbers)):
                number = numbers.pop(future)
                yield number, _outcome(future, jobs[number].source)
        finally:
            client.cancel(list(numbers))


def _refused(job: Job, force: bool) -> Outcome | None:
    try:
        with about(job.source):
            if job.error is not None:
                raise job.error
            refuse(job.target, force)
    except NicError as error:
        return Outcome(exit_code(error), failure=message(error))
    return None


def _outcome(future: Any, source: str) -> Outcome:
    """What came back; whatever went wrong on the way is the failure of this picture."""
    if future.status == "finished":
        outcome: Outcome = future.result()
        return outcome
    error = future.exception() if future.status == "error" else "the cluster lost it"
    return Outcome(1, failure=f"{source}: {' '.join(str(error).split())}")
