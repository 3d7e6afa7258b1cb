"""Silencing libraries in C and C++ that write to stderr themselves."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def native_stderr_closed() -> Iterator[None]:
    """Discard all output to file descriptor 2 in this block.

    For libraries that have no setting against it, and that report their errors by exceptions too.
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
