"""Resolution: the pixels of a metre of paper or screen, chunk r.

::

    chunk r   4   pixels per metre across, u32
              4   pixels per metre down, u32
"""

import math
import struct
from typing import Any

from nic.errors import CorruptError

INCH = 0.0254  # metres
CLOSE = 0.013  # dots per inch: what rounding to whole pixels per metre can change


def of_dpi(dots: Any) -> bytes:
    """Chunk r of dots per inch, a pair across and down; b"" if they make no sense."""
    try:
        across, down = (float(value) / INCH for value in dots)
        return struct.pack("<II", round(across), round(down)) if min(across, down) >= 1 else b""
    except (TypeError, ValueError, ArithmeticError, struct.error):
        return b""


def to_dpi(payload: bytes) -> tuple[float, float]:
    """Dots per inch across and down; whole numbers where chunk r is their rounding."""
    across, down = (value * INCH for value in struct.unpack("<II", check(payload)))
    return _whole(across), _whole(down)


def check(payload: bytes) -> bytes:
    """The payload of chunk r. Raises CorruptError if it is none."""
    if len(payload) != 8 or not all(struct.unpack("<II", payload)):
        raise CorruptError("the resolution metadata is damaged")
    return payload


def exchanged(payload: bytes) -> bytes:
    """The payload of a picture whose sides are exchanged."""
    return payload[4:] + payload[:4]


def _whole(value: float) -> float:
    return round(value) if math.isclose(value, round(value), rel_tol=0, abs_tol=CLOSE) else value
