"""Payloads of symbols that are coded with one table; and banks of tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from ._fse import ffi, lib
from .buffers import Bytes, Uint8, length, output, pointer, view
from .result import FseError, check
from .table import Table

MAX_TABLES: int = lib.FSE_MAX_TABLES


@dataclass(frozen=True)
class Bank:
    """1 to 64 tables with the same table log; a coder may change the table at every symbol.

    The coding tables for encoding and for decoding are built when first needed, and kept.
    """

    tables: tuple[Table, ...]

    def __init__(self, tables: Iterable[Table]) -> None:
        """Make a bank; other arguments refer to its tables by their index.

        Raises:
            FseError: no table, more than 64 tables, or different table logs.
        """
        object.__setattr__(self, "tables", tuple(tables))
        if not 1 <= len(self.tables) <= MAX_TABLES:
            raise FseError(f"a bank holds 1 to {MAX_TABLES} tables, not {len(self.tables)}")
        if len({table.table_log for table in self.tables}) > 1:
            raise FseError("the tables of a bank have one table log")

    @property
    def table_log(self) -> int:
        """The table log of all tables."""
        return self.tables[0].table_log

    @property
    def max_symbol(self) -> int:
        """The largest symbol of any table."""
        return max(table.max_symbol for table in self.tables)

    @cached_property
    def _encoder(self) -> _Tables:
        built = _Tables(self, "fse_encoder *", {"next": "uint16_t[]"}, {"moves": "fse_move[]"})
        check(lib.fse_build_encoder(built.bank, self._normalised()))
        return built

    @cached_property
    def _decoder(self) -> _Tables:
        built = _Tables(self, "fse_decoder *", {"cells": "fse_cell[]"}, {"first": "uint16_t[]"})
        check(lib.fse_build_decoder(built.bank, self._normalised()))
        return built

    def _normalised(self) -> Any:
        norm = np.zeros((len(self.tables), self.max_symbol + 1), np.int16)
        for row, table in zip(norm, self.tables, strict=True):
            row[: len(table.counts)] = table.counts
        return ffi.from_buffer("int16_t[]", norm)


class _Tables:
    """An `fse_encoder` or `fse_decoder` with the arrays that it points to."""

    def __init__(self, bank: Bank, kind: str, by_cell: dict[str, str], by_symbol: dict[str, str]):
        shape = {
            "table_log": bank.table_log,
            "alphabet": bank.max_symbol + 1,
            "tables": len(bank.tables),
        }
        cells = shape["tables"] << shape["table_log"]
        columns = shape["tables"] * shape["alphabet"]
        self.arrays = {
            name: ffi.new(of, size)
            for arrays, size in ((by_cell, cells), (by_symbol, columns))
            for name, of in arrays.items()
        }
        self.bank = ffi.new(kind, {"shape": shape, **self.arrays})


@lru_cache(maxsize=MAX_TABLES)
def _bank_of(table: Table) -> Bank:
    return Bank((table,))


def encode_ramp(symbols: Bytes, table: Table, *, portable: bool = False) -> bytes:
    """Code symbols with one table to a ramped payload, which is shorter and decodes faster.

    Args:
        symbols, table: as in `encode`.
        portable: run the machine code for any processor; the bytes are the same.

    Raises:
        FseError: a symbol without a cell, or too many symbols.
    """
    src, bank = view(symbols), _bank_of(table)
    capacity = lib.fse_ramp_bound(length(len(src)), bank.table_log)
    dst, c_dst = output(capacity)
    written = ffi.new("size_t *")
    check(
        lib.fse_encode_ramp(
            bank._encoder.bank, pointer(src), ffi.NULL, len(src), 0, int(portable), c_dst,
            capacity, written,
        )
    )  # fmt: skip
    return dst[: written[0]].tobytes()


def decode_ramp(payload: Bytes, n: int, table: Table, *, portable: bool = False) -> Uint8:
    """Decode exactly `n` symbols from all of a ramped payload; the inverse of `encode_ramp`.

    Returns:
        The symbols, uint8 (n,).

    Raises:
        CorruptStream: this is not a ramped payload of `n` symbols.
        FseError: n outside 0..2**31 - 1.
    """
    src, (symbols, c_symbols) = view(payload), output(length(n))
    decoder = _bank_of(table)._decoder.bank
    check(
        lib.fse_decode_ramp(decoder, pointer(src), len(src), ffi.NULL, n, int(portable), c_symbols)
    )
    return symbols


def encode(symbols: Bytes, table: Table) -> bytes:
    """Code symbols with one table to a two-state payload (RFC 8878, section 4.2.1.2).

    Args:
        symbols: uint8, C-contiguous, any shape; at most 2**31 - 1.
        table: a table with a cell for each of them.

    Raises:
        FseError: a symbol without a cell, or too many symbols.
    """
    src, bank = view(symbols), _bank_of(table)
    capacity = lib.fse_payload_bound(length(len(src)), bank.table_log)
    dst, c_dst = output(capacity)
    written = ffi.new("size_t *")
    check(lib.fse_encode(bank._encoder.bank, pointer(src), len(src), c_dst, capacity, written))
    return dst[: written[0]].tobytes()


def decode(payload: Bytes, n: int, table: Table) -> Uint8:
    """Decode exactly `n` symbols from all of `payload`; the inverse of `encode`.

    Returns:
        The symbols, uint8 (n,).

    Raises:
        CorruptStream: `encode` would not have written this payload for any `n` symbols.
        FseError: n outside 0..2**31 - 1.
    """
    src, (symbols, c_symbols) = view(payload), output(length(n))
    decoder = _bank_of(table)._decoder.bank
    check(lib.fse_decode(decoder, pointer(src), len(src), n, c_symbols))
    return symbols
