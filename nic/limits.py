"""How many pixels a run may take on: the one model of the memory that they need.

A header of a few bytes can claim a picture of gigabytes. Its claim is compared with the memory
that is free, by the bytes that a stage was measured to need for each pixel. So too much is
refused before it is asked for, and a large picture is cut into strips that fit.
"""

import re
from dataclasses import dataclass
from enum import IntEnum

from nic.errors import NicError, UsageError
from nic.resources import free_memory

OPTION = "--max-pixels"
MAX_LATENT = 1e9  # magnitude: far beyond what a transform gives, and a network stays finite
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
COUNT = re.compile(r"([0-9]{1,15})([kMG]?)")

TRANSFORM = 190  # bytes per pixel of a network's activations ...
FIXED = 600 << 20  # ... which are those of one tile at most; and the program itself


class Work(IntEnum):
    """Bytes of memory per pixel at the highest point, measured and rounded up."""

    SYMBOLS = 4  # payloads to symbols: 3.8 (2000x2000), 3.3 (5000x5000)
    LATENTS = 11  # payloads to latents: 10.1, 9.3
    PICTURE = 20  # beside a network's: a picture file to pixels 16.8, latents to a picture 13

    def pixels_in(self, memory: int) -> int:
        """How many pixels fit into so many bytes."""
        if self != Work.PICTURE:
            return memory // self
        return max(memory // TRANSFORM, pixels_of_strip(memory))


def pixels_of_strip(memory: int) -> int:
    """Pixels of a strip for which all stages stay below ``memory`` bytes; 0 if none do."""
    return max(0, memory - FIXED) // Work.PICTURE


@dataclass(frozen=True)
class Limit:
    """The most pixels of a picture; ``max_pixels`` None is what fits into free memory.

    Of that, each of several ``processes`` that start at once has an equal share.
    """

    max_pixels: int | None = None
    processes: int = 1

    def check(self, width: int, height: int, work: Work) -> None:
        """Raises NicError when a picture has too many pixels for this work."""
        allowed, why = self.max_pixels, ""
        if allowed is None:
            free = free_memory()
            if free is None:
                return
            allowed, why = work.pixels_in(free // self.processes), ", as many as free memory holds"
            if self.processes > 1:
                why = f"{why} in each of {self.processes} processes"
        if width * height > allowed:
            raise NicError(
                f"{width}x{height} are {width * height} pixels and the limit is {allowed}{why}; "
                f"see {OPTION}"
            )

    def check_named(self, width: int, height: int) -> None:
        """``check`` where memory does not depend on it: against a number that was given alone."""
        if self.max_pixels is not None:
            self.check(width, height, Work.PICTURE)


ANY = Limit()


def parse(text: str) -> int:
    """A number of pixels such as ``500M``. Raises UsageError."""
    found = COUNT.fullmatch(text)
    if found is None or not int(found[1]):
        raise UsageError(f"{text!r} is no number of pixels; write 500000, 500k, 500M or 2G")
    return int(found[1]) * UNITS[found[2]]
