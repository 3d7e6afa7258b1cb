"""Errors of the entropy coder, and the one way a result of the C coder becomes one."""

from __future__ import annotations

from ._fse import ffi, lib


class FseError(ValueError):
    """The coder refused its arguments; the root of this package's errors."""


class CorruptStream(FseError):
    """Coded bytes are truncated, damaged, or not of this coder."""


def check(result: int) -> None:
    """Return if `result`, an `fse_result`, is FSE_OK.

    Raises:
        CorruptStream: the result blames the coded bytes.
        FseError: the result blames the arguments.
    """
    if result == lib.FSE_OK:
        return
    message = ffi.string(lib.fse_message(result)).decode()
    raise (CorruptStream if lib.fse_is_corrupt(result) else FseError)(message)
