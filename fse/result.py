"""Errors of the entropy coder, and the function that turns a result of the C coder into one."""

from __future__ import annotations

from ._fse import ffi, lib


class FseError(ValueError):
    """The coder refused its arguments; the root of this package's errors."""


class CorruptStream(FseError):
    """Coded bytes are truncated, damaged, or were not written by this coder."""


def check(result: int) -> None:
    """Raise an error unless `result`, an `fse_result`, is FSE_OK.

    Raises:
        CorruptStream: the coded bytes are at fault.
        FseError: the arguments are at fault.
    """
    if result == lib.FSE_OK:
        return
    message = ffi.string(lib.fse_message(result)).decode()
    raise (CorruptStream if lib.fse_is_corrupt(result) else FseError)(message)
