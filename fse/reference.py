"""Whole streams, compatible with the reference coder: each has its own table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ._fse import ffi, lib
from .buffers import Bytes, Uint8, length, output, pointer, unsigned, view
from .result import check
from .table import DEFAULT_LOG, MAX_LOG


class Kind(Enum):
    """The kind of result of `compress`."""

    STREAM = lib.FSE_STREAM
    """A header and a payload."""
    RAW = lib.FSE_RAW
    """No data, as a stream would save at most one byte. Store the symbols."""
    RLE = lib.FSE_RLE
    """No data, as all symbols are equal. Store one of them."""


@dataclass(frozen=True)
class Coded:
    """The result of `compress`; `data` is empty unless `kind` is STREAM."""

    kind: Kind
    data: bytes


def compress(symbols: Bytes, *, max_symbol: int = 255, table_log: int = DEFAULT_LOG) -> Coded:
    """Code symbols with a table fitted to them, as the reference's FSE_compress2 does.

    Args:
        symbols: uint8, C-contiguous, any shape; at most 2**31 - 1.
        max_symbol: 1..255, the largest symbol allowed. It does not change the result.
        table_log: 5..12, the largest table log to use. The coder takes a smaller one for short
            inputs, and a larger one if the alphabet needs it.

    Raises:
        FseError: a symbol above `max_symbol`, or an argument out of range.
    """
    src = view(symbols)
    capacity = lib.fse_compress_bound(length(len(src)))
    dst, c_dst = output(capacity)
    written, kind = ffi.new("size_t *"), ffi.new("fse_kind *")
    check(
        lib.fse_compress(
            pointer(src), len(src), unsigned(max_symbol), unsigned(table_log), c_dst, capacity,
            written, kind,
        )
    )  # fmt: skip
    return Coded(Kind(kind[0]), dst[: written[0]].tobytes())


def decompress(
    data: Bytes, n: int, *, max_symbol: int = 255, max_table_log: int = MAX_LOG
) -> Uint8:
    """Decode exactly `n` symbols from all of a STREAM; the inverse of `compress`.

    Returns:
        The symbols, uint8 (n,).

    Raises:
        CorruptStream: damaged data, or symbols or a table log above the given bounds.
        FseError: n outside 0..2**31 - 1, `max_symbol` or `max_table_log` out of range.
    """
    src = view(data)
    symbols, c_symbols = output(length(n))
    check(
        lib.fse_decompress(
            pointer(src), len(src), unsigned(max_symbol), unsigned(max_table_log), c_symbols, n
        )
    )
    return symbols
