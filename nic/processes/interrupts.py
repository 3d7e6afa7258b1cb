"""Delaying the signals that stop a program, until a block of code has ended.

Python runs the handler of a signal in the main thread, between any two steps of the program. So
its exception may come when a file has been created or a process started, but the ``try`` that
removes or stops it has not begun.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STOPPING = (signal.SIGINT, signal.SIGTERM)


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


def stop_on_sigterm() -> None:
    """Let SIGTERM raise SystemExit, as SIGINT raises KeyboardInterrupt, so that code cleans up."""
    signal.signal(signal.SIGTERM, _stop)


def _stop(number: int, _: object) -> None:
    raise SystemExit(128 + number)
