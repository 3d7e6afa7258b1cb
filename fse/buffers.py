"""Conversion of Python arguments to arguments of the C coder."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ._fse import ffi, lib
from .result import FseError

Uint8: TypeAlias = npt.NDArray[np.uint8]
Bytes: TypeAlias = bytes | bytearray | memoryview | Uint8

MAX_LENGTH: int = lib.FSE_MAX_LENGTH


def view(data: Bytes) -> Uint8:
    """Return `data` as a flat uint8 array without a copy.

    Raises:
        FseError: not C-contiguous, or not of unsigned bytes.
    """
    raw = data.data if isinstance(data, np.ndarray) else memoryview(data)
    if raw.format != "B" or not raw.c_contiguous:
        raise FseError("not a C-contiguous buffer of unsigned bytes")
    return np.frombuffer(raw, np.uint8)


def pointer(array: Uint8) -> Any:
    """Return the C array of a view. The result keeps the view's memory alive."""
    return ffi.from_buffer("uint8_t[]", array)


def output(size: int) -> tuple[Uint8, Any]:
    """Return a new array of `size` bytes, and its C array."""
    array = np.empty(size, np.uint8)
    return array, ffi.from_buffer("uint8_t[]", array, require_writable=True)


def length(n: int) -> int:
    """Return `n` if it is a valid number of symbols.

    Raises:
        FseError: n is negative or above 2**31 - 1.
    """
    if not 0 <= n <= MAX_LENGTH:
        raise FseError(f"{n} symbols are not in 0..{MAX_LENGTH}")
    return n


def unsigned(value: int) -> int:
    """Return `value`, or 0 if it does not fit into C's type; the C coder refuses 0."""
    return value if 0 <= value < 2**31 else 0
