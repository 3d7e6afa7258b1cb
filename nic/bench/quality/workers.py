"""Calls in several processes, with results in the order of the tasks."""

import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(act: Callable[[T], R], tasks: Sequence[T], jobs: int) -> Generator[R]:
    """Yield ``act(task)`` of each task, computed in ``jobs`` processes.

    Args: act: a function that can be pickled.
    Raises: BrokenProcessPool when a process is killed.
    """
    if jobs == 1:
        yield from map(act, tasks)
        return
    # Not forked: a forked copy of a process with LiteRT's threads may hang.
    with ProcessPoolExecutor(jobs, get_context("spawn"), _ignore_interrupts) as pool:
        with _no_interrupt():
            futures = [pool.submit(act, task) for task in tasks]
        try:
            for future in futures:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _ignore_interrupts() -> None:
    """Ignore SIGINT, which a terminal sends to all processes; the first process stops others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Hold SIGINT back, also from processes that start here, until they ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its start would unblock the signal, so it starts before
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
