"""Libraries in C and C++ that write to stderr by themselves."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def native_stderr_closed() -> Iterator[None]:
    """Keep what libraries write to file descriptor 2 off our stderr, where no setting stops it.

    For those that raise their errors as exceptions too.
    """
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
