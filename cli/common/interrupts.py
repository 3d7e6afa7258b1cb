"""How a program ends by a signal: no temporary file stays behind, whenever the signal comes.

Python runs the handler of a signal in the main thread, between any two steps of the program. An
exception from there may miss every ``finally``: of a file that is made, but not yet guarded, or
of a context manager that is entered, but not yet in use. So the temporary files of this process
are listed here, under ``uninterrupted``, and the program removes at its end what is still listed.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STOPPING = (signal.SIGINT, signal.SIGTERM)

unfinished: set[str] = set()  # temporary files, which this process has to rename or remove


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let the signals that stop a program wait until the end of this block.

    The handlers are exchanged. A mask would only hold for this thread, and the system may give
    a signal to any other thread: the handler would run here nevertheless.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # no handler ever runs in this thread
        return
    came: list[int] = []
    known = ((number, signal.getsignal(number)) for number in STOPPING)
    handlers = [(number, handler) for number, handler in known if handler is not None]
    try:
        for number, _ in handlers:
            signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def remove_unfinished() -> None:
    """Remove the temporary files that an interrupt left."""
    with uninterrupted():
        while unfinished:
            with suppress(OSError):
                os.unlink(unfinished.pop())


def stop_on_sigterm() -> None:
    """Make SIGTERM an exception, as SIGINT is one: everything is cleaned up on the way."""
    signal.signal(signal.SIGTERM, _stop)


def _stop(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def die_of_interrupt() -> None:
    """End by the signal itself after cleaning up, so that a loop of the shell ends too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.raise_signal(signal.SIGINT)
