"""What every library in C here needs from Python: aligned memory, and threads."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from nic.types import Bytes

ALIGNMENT = 64  # bytes


def aligned(size: int) -> Bytes:
    """Memory of ``size`` bytes, uint8 (size,), that begins at a multiple of ``ALIGNMENT``."""
    memory = np.empty(size + ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % ALIGNMENT
    return memory[first : first + size]


def together(threads: int, work: Callable[[int], None], *held: Any) -> None:
    """Call ``work`` with each number below ``threads``, each in a thread, and wait for all.

    Each thread holds ``work`` and ``held``, so that an interrupt here frees none of what another
    thread still uses.
    """

    def share(number: int, _: tuple[Any, ...]) -> None:
        work(number)

    others = [threading.Thread(target=share, args=(number, held)) for number in range(1, threads)]
    for thread in others:
        thread.start()
    share(0, held)
    for thread in others:
        thread.join()
