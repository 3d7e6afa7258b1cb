"""Ending by a signal without leaving a temporary file, whenever the signal comes.

Python runs the handler of a signal in the main thread, between any two steps of the program. So
its exception may come when a file has been created but the ``try`` that removes it has not begun.
Therefore the temporary files of this process are listed here, inside ``uninterrupted``, and at its
end the program removes the files that are still listed.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STOPPING = (signal.SIGINT, signal.SIGTERM)

unfinished: set[str] = set()  # temporary files that this process must still rename or remove


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay the signals that stop a program until the end of this block.

    Other handlers are set meanwhile. A signal mask would not be enough: it holds for one thread,
    and when another thread receives the signal, its handler still runs in the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers run only in the main thread
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
    """Remove the temporary files that are still listed."""
    with uninterrupted():
        while unfinished:
            with suppress(OSError):
                os.unlink(unfinished.pop())


def stop_on_sigterm() -> None:
    """Let SIGTERM raise SystemExit, as SIGINT raises KeyboardInterrupt, so that code cleans up."""
    signal.signal(signal.SIGTERM, _stop)


def _stop(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def die_of_interrupt() -> None:
    """End by SIGINT itself, after cleaning up, so that a loop of the shell ends too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.raise_signal(signal.SIGINT)
