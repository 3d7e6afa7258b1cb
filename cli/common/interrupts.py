"""Ending by a signal without leaving a temporary file, whenever the signal comes.

The signal may come when a file has been created but the ``try`` that removes it has not begun.
Therefore the temporary files of this process are listed here, inside ``uninterrupted``, and at its
end the program removes the files that are still listed.
"""

import os
import signal
from contextlib import suppress

from nic.processes.interrupts import uninterrupted

unfinished: set[str] = set()  # temporary files that this process must still rename or remove


def remove_unfinished() -> None:
    """Remove the temporary files that are still listed."""
    with uninterrupted():
        while unfinished:
            with suppress(OSError):
                os.unlink(unfinished.pop())


def die_of_interrupt() -> None:
    """End by SIGINT itself, after cleaning up, so that a loop of the shell ends too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.raise_signal(signal.SIGINT)
