"""A pool of worker processes; the death of one costs only the task that it had.

Workers are spawned, never forked: a network's threads do not survive a fork. Each worker loads its
networks once, gets one task at a time, and answers with its result. A new worker takes the place
of a dead one.

Two libraries were tried instead. When a worker dies while no task is marked as running, at its
start or between two short tasks, Pebble's ProcessPool (5.2.3) fails all tasks that are left
(BrokenProcessPool). That happened in each of three runs of 1500 short tasks, in which a worker was
killed about three times a second. This pool lost only the tasks of killed workers: 67 in 68 kills.
Moreover, a worker of Pebble's that is stopped while it starts prints a traceback. Python's
ProcessPoolExecutor fails all tasks whenever a worker dies. When an interrupt comes while it starts
its workers, it waits for them for ever at the end of the program.
"""

import multiprocessing
import signal
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, NamedTuple, TypeVar

from nic.processes.interrupts import stop_on_sigterm, uninterrupted

PATIENCE = 2.0  # seconds that workers have to clean up when they are stopped

T = TypeVar("T")
R = TypeVar("R")
Around = Callable[[], AbstractContextManager[object]]


class Death(NamedTuple):
    """What comes in place of a result when the worker ended before it answered.

    Attributes: code: its exit code; -N after signal N.
    """

    code: int | None

    def __str__(self) -> str:
        """How it ended, after words like "the process"."""
        if self.code is not None and self.code < 0:
            return f"was killed ({signal.Signals(-self.code).name})"
        return f"ended with exit status {self.code}"


def as_finished(
    act: Callable[[T], R],
    tasks: Sequence[T],
    workers: int,
    around: Around = nullcontext,
    lost: Callable[[T], object] = lambda task: None,
) -> Generator[tuple[int, R | Death]]:
    """Yield the number and the result of every task, in the order in which they finish.

    An interrupt, or an end of the loop, leaves no worker behind. Workers ignore SIGINT, which a
    terminal sends to all processes. SIGTERM raises SystemExit in them.

    Args:
        act: does a task; picklable, like its tasks and results.
        workers: how many processes work at the same time.
        around: makes the context in which a worker does its tasks; picklable.
        lost: called here with the task of each worker that died or was stopped.
    """
    waiting = list(enumerate(tasks))[::-1]
    pool: list[_Worker[T, R]] = []
    try:
        while waiting or any(worker.busy for worker in pool):
            pool = [worker for worker in pool if worker.connection is not None]
            while len(pool) < min(workers, len(waiting) + sum(w.busy for w in pool)):
                with uninterrupted():
                    pool.append(_Worker(act, around))
            for worker in pool:
                if waiting and not worker.busy:
                    worker.give(*waiting.pop())
            busy = {worker.connection: worker for worker in pool if worker.busy}
            ready = wait([connection for connection in busy if connection is not None])
            for connection, worker in busy.items():
                if connection in ready:
                    number, task, result = worker.take()
                    if isinstance(result, Death):
                        lost(task)
                    yield number, result
    finally:
        with uninterrupted():
            for task in _stop(pool):
                lost(task)


def in_order(act: Callable[[T], R], tasks: Sequence[T], workers: int) -> Generator[R | Death]:
    """Yield ``act(task)`` of each task, in their order; a single worker is this process."""
    if workers == 1:
        yield from map(act, tasks)
        return
    held: dict[int, R | Death] = {}
    following = 0
    with closing(as_finished(act, tasks, workers)) as results:
        for number, result in results:
            held[number] = result
            while following in held:
                yield held.pop(following)
                following += 1


class _Worker(Generic[T, R]):
    """A process, and the task that it has. To be made in an ``uninterrupted`` block."""

    def __init__(self, act: Callable[[T], R], around: Around) -> None:
        context = multiprocessing.get_context("spawn")
        mine, its = context.Pipe()
        self.connection: Connection | None = mine
        self.task: tuple[int, T] | None = None
        what = (its, act, around)
        self.process: SpawnProcess = context.Process(target=_serve, args=what, daemon=True)
        with _ignored_sigpipe(), _blocked_sigint():
            self.process.start()
        its.close()

    @property
    def busy(self) -> bool:
        return self.task is not None

    def give(self, number: int, task: T) -> None:
        """Send a task; if the worker is dead, ``take`` will notice."""
        assert self.connection is not None
        self.task = number, task
        with uninterrupted(), _ignored_sigpipe(), suppress(OSError):
            self.connection.send(task)

    def take(self) -> tuple[int, T, R | Death]:
        """The number of the task, the task and its result, once the connection can be read."""
        assert self.connection is not None
        assert self.task is not None
        (number, task), self.task = self.task, None
        try:
            return number, task, self.connection.recv()
        except (EOFError, OSError):
            self.connection.close()
            self.connection = None
        self.process.join()
        death = Death(self.process.exitcode)
        self.process.close()
        return number, task, death


def _stop(pool: Sequence[_Worker[T, R]]) -> list[T]:
    """End all workers; return the tasks that were not finished.

    Idle workers end by themselves, busy ones get ``PATIENCE`` to clean up.
    """
    alive = [worker for worker in pool if worker.connection is not None]
    for worker in alive:
        assert worker.connection is not None
        worker.connection.close()
        if worker.busy:
            worker.process.terminate()
    end = time.monotonic() + PATIENCE
    for worker in alive:
        worker.process.join(max(0.0, end - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.process.close()  # here: Python drops an interrupt that comes while it frees it
    return [worker.task[1] for worker in alive if worker.task is not None]


@contextmanager
def _blocked_sigint() -> Iterator[None]:
    """Block SIGINT in this thread, and so in a process that it starts, until that ignores it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    with warnings.catch_warnings(action="ignore"):  # Python says so if it had to start it again
        resource_tracker.ensure_running()  # its start would unblock the signal: it starts before
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def _ignored_sigpipe() -> Iterator[None]:
    """Let writing to a dead process be an OSError."""
    if not hasattr(signal, "SIGPIPE"):
        yield
        return
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGPIPE, before)


def _serve(connection: Connection, act: Callable[[T], R], around: Around) -> None:
    """The main loop of a worker: receive a task, send its result, until the connection ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop_on_sigterm()
    with around(), suppress(EOFError, OSError):
        try:
            while True:
                connection.send(act(connection.recv()))
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends already
