"""A pool of worker processes; the death of one costs only the job that it had.

Workers are spawned, never forked: a network's threads do not survive a fork. Each worker loads its
networks once, gets one job at a time, and answers with its outcome. A new worker takes the place
of a dead one.

Pebble's ProcessPool (5.2.3) was tried instead. When a worker dies while no job is marked as
running, at its start or between two short jobs, it fails all jobs that are left
(BrokenProcessPool). That happened in each of three runs of 1500 short jobs, in which a worker was
killed about three times a second. This pool lost only the jobs of killed workers: 67 in 68 kills.
Moreover, a worker of Pebble's that is stopped while it starts prints a traceback.
"""

import multiprocessing
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from nic.cli.batch.inputs import Job
from nic.cli.batch.job import Outcome, Outcomes, Task
from nic.cli.common.command import name_of
from nic.cli.common.interrupts import remove_unfinished, stop_on_sigterm
from nic.cli.common.temporary import remove_stale
from nic.errors import NicError

PATIENCE = 2.0  # seconds that workers have to clean up when they are stopped


def in_workers(jobs: list[Job], task: Task, workers: int) -> Outcomes:
    """Yield the number and the outcome of every job, in the order in which they finish.

    An interrupt leaves no worker behind.
    """
    waiting = list(enumerate(jobs))[::-1]
    pool: list[_Worker] = []
    try:
        while waiting or any(worker.busy for worker in pool):
            pool = [worker for worker in pool if worker.connection is not None]
            while len(pool) < min(workers, len(waiting) + sum(w.busy for w in pool)):
                pool.append(_Worker(task))
            for worker in pool:
                if waiting and not worker.busy:
                    worker.give(*waiting.pop())
            busy = {worker.connection: worker for worker in pool if worker.busy}
            ready = wait([connection for connection in busy if connection is not None])
            for connection, worker in busy.items():
                if connection in ready:
                    yield worker.take()
    finally:
        _stop(pool)


class _Worker:
    """A process, and the job that it has."""

    def __init__(self, task: Task) -> None:
        context = multiprocessing.get_context("spawn")
        mine, its = context.Pipe()
        self.connection: Connection | None = mine
        self.job: tuple[int, Job] | None = None
        self.process: SpawnProcess = context.Process(target=_serve, args=(its, task), daemon=True)
        with _held_signals():
            self.process.start()
        its.close()

    @property
    def busy(self) -> bool:
        return self.job is not None

    def give(self, number: int, job: Job) -> None:
        """Send a job; if the worker is dead, ``take`` will notice."""
        assert self.connection is not None
        self.job = number, job
        with _held_signals():
            try:
                self.connection.send(job)
            except OSError:
                return

    def take(self) -> tuple[int, Outcome]:
        """The number of the job and its outcome, once the connection is ready to read.

        If the worker died, the outcome is a failure.
        """
        assert self.connection is not None
        assert self.job is not None
        (number, job), self.job = self.job, None
        try:
            return number, self.connection.recv()
        except (EOFError, OSError):
            self.connection.close()
            self.connection = None
        self.process.join()
        _clean(job)
        why = _cause(self.process.exitcode)
        error = NicError(f"{name_of(job.source)}: the process that worked on it {why}")
        return number, Outcome(error.exit_code, failure=str(error))


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed ({signal.Signals(-code).name})"
    return f"ended with exit status {code}"


def _stop(pool: list[_Worker]) -> None:
    """End all workers: idle ones end by themselves, busy ones get ``PATIENCE`` to clean up."""
    for worker in pool:
        if worker.connection is not None:
            worker.connection.close()
        if worker.busy:
            worker.process.terminate()
    end = time.monotonic() + PATIENCE
    for worker in pool:
        worker.process.join(max(0.0, end - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        if worker.job is not None:
            _clean(worker.job[1])


def _clean(job: Job) -> None:
    """Remove the temporary output of a dead worker."""
    if job.target is not None:
        remove_stale([job.target])


@contextmanager
def _held_signals() -> Iterator[None]:
    """Hold SIGINT back in this process and in a process that starts here, and ignore SIGPIPE.

    Ctrl-C goes to all processes of a terminal, but the first one has to stop the others. With
    SIGPIPE ignored, sending to a dead worker is an OSError.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its start would unblock the signal, so it starts before
    pipe = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.signal(signal.SIGPIPE, pipe)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _serve(connection: Connection, task: Task) -> None:
    """The main loop of a worker: receive a job, send its outcome, until the connection ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop_on_sigterm()
    try:
        with suppress(EOFError, OSError):
            while True:
                job = connection.recv()
                connection.send(task(job))
    finally:
        remove_unfinished()
