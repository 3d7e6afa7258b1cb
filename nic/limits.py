"""How many pixels a run may handle: the model of the memory that each stage needs.

A header of a few bytes can claim a picture of gigabytes. So the memory that a stage needs for the
claimed pixels is compared with the free memory, and a picture that is too large is refused before
memory is allocated. The same numbers say how large a strip of a large picture may be.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from nic.errors import NicError, UsageError
from nic.resources import free_memory

OPTION = "--max-pixels"
MAX_LATENT = 1e9  # magnitude; transforms give far less, and a network stays finite below it
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
COUNT = re.compile(r"([0-9]{1,15})([kMG]?)")

TRANSFORM = 190  # bytes per pixel: what a transform needs beside the picture, and its latents
NATIVE = 90 << 20  # bytes: ... which is a pass of the reference over 8192 columns, at most
KERAS = 600 << 20  # bytes: ... or the activations of one tile
COLUMN = 3600  # bytes per column of pixels: a pass of the default network
STRIP_MEMORY = 400 << 20  # bytes that a strip may need, unless another number is asked for
SEARCHED = 4 << 20  # most pixels of a strip in which better latents are searched
STRIPS = 128 << 20  # bytes: the program, and a pass of the default network over 20,000 columns


class Work(IntEnum):
    """Peak memory of a kind of work, in bytes per pixel, measured and rounded up."""

    THUMBNAIL = 2  # leading channels to a thumbnail, with transparency: 0.7 without, 120 M pixels
    SYMBOLS = 4  # payloads to symbols: 3.8 (2000x2000), 3.3 (5000x5000)
    LATENTS = 11  # payloads to latents: 10.1, 9.3
    PICTURE = 20  # a file to latents 13.4 (6000x4000), a record to a PPM 17.8 (4096x2048) and 16.3

    DEEP_PICTURE = 28  # a record to a PPM of 16 bits per sample: 23 and 24; a strip of 8 bits: 27

    @classmethod
    def picture(cls, depth: int) -> Self:
        """The work of decoding a picture to ``depth`` bits per sample, 8 or 16."""
        return cls.PICTURE if depth == 8 else cls.DEEP_PICTURE

    def pixels_in(self, memory: int, transform: int = NATIVE) -> int:
        """How many pixels fit into ``memory`` bytes, if a transform takes ``transform`` at most."""
        if self < Work.PICTURE:
            return memory // self
        return max(memory // TRANSFORM, max(0, memory - transform) // self)


def pixels_of_strip(memory: int) -> int:
    """The most pixels of a strip for which all stages stay below ``memory`` bytes; may be 0.

    This is with native code. Keras needs some hundred MB more for its tiles.
    """
    return max(0, memory - STRIPS) // Work.DEEP_PICTURE


@dataclass(frozen=True)
class Limit:
    """The most pixels that a picture may have.

    Attributes:
        max_pixels: None for as many as free memory holds.
        processes: how many processes start at once and share the free memory equally.
        transform: bytes that a transform takes at most: ``NATIVE`` or ``KERAS``.
    """

    max_pixels: int | None = None
    processes: int = 1
    transform: int = NATIVE

    def check(self, width: int, height: int, work: Work) -> None:
        """Raises NicError when a picture has too many pixels for this work."""
        allowed, why = self.max_pixels, ""
        if allowed is None:
            free = free_memory()
            if free is None:
                return
            allowed = work.pixels_in(free // self.processes, self.transform)
            why = ", as many as free memory holds"
            if self.processes > 1:
                why = f"{why} in each of {self.processes} processes"
        if width * height > allowed:
            raise NicError(
                f"{width}x{height} are {width * height} pixels and the limit is {allowed}{why}; "
                f"see {OPTION}"
            )

    def check_width(self, width: int) -> None:
        """Raises NicError when memory cannot hold a pass over strips of this width.

        A whole picture is transformed in parts if it is very wide, and strips are not.
        """
        free = free_memory()
        if self.max_pixels is None and free is not None:
            needed, share = width * COLUMN, free // self.processes
            if needed > max(share, self.transform):
                raise NicError(
                    f"a picture in strips, {width} pixels wide, needs {needed >> 20} MB and "
                    f"free memory holds {share >> 20}; see {OPTION}"
                )

    def check_named(self, width: int, height: int) -> None:
        """``check``, but only against a ``max_pixels`` that was given, not against memory.

        For the size of a whole picture whose strips are held one at a time.
        """
        if self.max_pixels is not None:
            self.check(width, height, Work.PICTURE)


ANY = Limit()


def parse(text: str) -> int:
    """A number of pixels such as ``500M``. Raises UsageError."""
    found = COUNT.fullmatch(text)
    if found is None or not int(found[1]):
        raise UsageError(f"{text!r} is not a number of pixels; write 500000, 500k, 500M or 2G")
    return int(found[1]) * UNITS[found[2]]
