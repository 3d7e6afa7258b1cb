"""Silencing libraries that print by themselves, in a process that may have threads."""

import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType


class _Shared(AbstractContextManager[None]):
    """A context of the whole process: the first thread enters it, the last one leaves it.

    A context that each thread entered by itself would restore what another thread had set.
    """

    def __init__(self, make: Callable[[], AbstractContextManager[None]]) -> None:
        self._make, self._lock, self._inside = make, threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._context = self._make()
                self._context.__enter__()
            self._inside += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._context.__exit__(None, None, None)


@contextmanager
def _closed() -> Iterator[None]:
    try:
        saved = os.dup(2)
    except OSError:  # stderr is closed already
        yield
        return
    try:
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


@contextmanager
def _ignored() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        yield


@contextmanager
def _silent() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("tifffile", "imagecodecs")]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, was in zip(loggers, before, strict=True):
            logger.disabled = was


_STDERR, _WARNINGS, _LOGGERS = _Shared(_closed), _Shared(_ignored), _Shared(_silent)


def native_stderr_closed() -> AbstractContextManager[None]:
    """A context in which all output to file descriptor 2 is discarded.

    For libraries in C and C++ that have no setting against it, and that report their errors by
    exceptions too.
    """
    return _STDERR


def pillow_warnings_ignored() -> AbstractContextManager[None]:
    """A context without Pillow's warnings about damage and size: our errors report both."""
    return _WARNINGS


def loggers_quiet() -> AbstractContextManager[None]:
    """A context without the warnings that tifffile and imagecodecs log about damage."""
    return _LOGGERS
