"""Calls in several processes, with results in the order of what was asked."""

import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(act: Callable[[T], R], tasks: Sequence[T], jobs: int) -> Generator[R]:
    """What ``act``, a function of a module, makes of each task, in ``jobs`` processes.

    Raises: BrokenProcessPool when one of them is killed.
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
    """A terminal interrupts all processes; the one that collects results decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Hold interrupts back, also from processes that start here, until they ignore them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which would let them through again
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
