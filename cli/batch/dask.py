"""Jobs on a Dask cluster whose workers share the file system with this process.

Dask runs a task again when its worker is lost, even if the worker had already written the file.
So a worker takes an existing output for a finished job. Outputs that existed before are refused
here, before anything is submitted, and it is this process that removes the sources.
"""

import logging
import os
import threading
from dataclasses import dataclass
from typing import Any

from nic.cli.batch.inputs import Job, absolute
from nic.cli.batch.job import Outcome, Outcomes, Task
from nic.cli.common.command import about, exit_code, message
from nic.cli.common.temporary import refuse, remove_stale
from nic.errors import NicError, UsageError

ONE_AT_A_TIME = threading.Lock()  # a worker may run threads; a network may run in only one


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
    """Yield the number and the outcome of every job, in the order in which they finish.

    Raises: UsageError when Dask is not installed or the address is wrong, NicError when no
        scheduler answers.
    """
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise UsageError("Dask is not installed: pip install 'nic-codec[dask]'") from error
    if address.partition("://")[0] not in ("tcp", "tls", address):
        raise UsageError(f"{address}: the scheduler's address is tcp://HOST:PORT")
    for name in ("distributed", "distributed.client"):  # failures are reported by our own lines
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = Client(address)  # Dask's configuration says how long to wait
    except (OSError, ValueError) as error:
        raise NicError(f"{address}: no Dask scheduler answers: {error}") from error
    again = _Again(task, force)
    with client:
        numbers = {}
        for number, job in enumerate(jobs):
            refused = _refused(job, force, task.skip_existing)
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


def _refused(job: Job, force: bool, skip_existing: bool) -> Outcome | None:
    try:
        with about(job.source):
            if job.error is not None:
                raise job.error
            if skip_existing and job.target is not None and os.path.isfile(job.target):
                return Outcome(0)
            refuse(job.target, force)
    except NicError as error:
        return Outcome(exit_code(error), failure=message(error))
    return None


def _outcome(future: Any, source: str) -> Outcome:
    """The outcome that a worker returned; any error on the way is a failure of this job."""
    if future.status == "finished":
        outcome: Outcome = future.result()
        return outcome
    error = future.exception() if future.status == "error" else "the cluster lost it"
    return Outcome(1, failure=f"{source}: {' '.join(str(error).split())}")
