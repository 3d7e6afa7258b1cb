"""Coding many planes in one call: tables by class and decoded neighbours, in several threads.

fse.h describes the ramped payload and the contexts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ._fse import ffi, lib
from .buffers import Bytes, Uint8, length, output, pointer, view
from .payload import Bank
from .result import FseError, check


class Context(IntEnum):
    """The context that, with the class, chooses a symbol's table."""

    CLASS = lib.FSE_BY_CLASS
    """No context: only the class counts."""
    ENERGY = lib.FSE_BY_ENERGY
    """One of 8 levels of the magnitudes of the neighbours W, N, NW, NE, WW and NN."""
    PAIR = lib.FSE_BY_PAIR
    """The pair of symbols to the west and to the north."""

    def count(self, alphabet: int) -> int:
        """Return the number of contexts for symbols below `alphabet`."""
        return int(lib.fse_contexts(self, alphabet))


@dataclass(frozen=True)
class Layout:
    """The properties that all planes of a call share.

    Attributes:
        shape: (h, w).
        class_of: the class of every symbol, uint8 (h, w), C-contiguous, below `classes`; None if
            all are of class 0.
        classes: number of classes, 1..256.
        context: the kind of context.
    """

    shape: tuple[int, int]
    class_of: Uint8 | None = None
    classes: int = 1
    context: Context = Context.CLASS

    def _c_layout(self) -> tuple[Any, object]:
        """Return the fse_layout, and the objects that it points to, to keep them alive.

        Raises:
            FseError: a shape or number out of range, or classes of another shape.
        """
        h, w = self.shape
        n = length(length(h) * length(w))
        of = ffi.NULL
        if self.class_of is not None:
            if self.class_of.shape != self.shape:
                raise FseError(f"classes of {self.class_of.shape} for planes of {self.shape}")
            of = pointer(view(self.class_of))
        values = {"width": w, "height": h, "class_of": of, "context": int(self.context)}
        if not 1 <= self.classes <= lib.FSE_ALPHABET:
            raise FseError(f"{self.classes} classes are not in 1..{lib.FSE_ALPHABET}")
        return ffi.new("fse_layout *", {**values, "classes": self.classes}), (of, n)

    def _check_tables(self, tables: Uint8, planes: int, bank: Bank) -> None:
        expected = (planes, self.classes, self.context.count(bank.max_symbol + 1))
        if tables.shape != expected:
            raise FseError(f"tables of {tables.shape} where {expected} are due")


class PlaneError(FseError):
    """A plane could not be coded; `plane` is its index, `reason` the error without the index."""

    def __init__(self, plane: int, reason: FseError):
        super().__init__(f"plane {plane}: {reason}")
        self.plane = plane
        self.reason = reason


def encode_planes(
    planes: Uint8, tables: Uint8, bank: Bank, layout: Layout,
    *, threads: int = 1, portable: bool = False,
) -> list[bytes]:  # fmt: skip
    """Code each plane to a ramped payload; the bytes are the same for any number of threads.

    Args:
        planes: uint8 (P, h, w), C-contiguous.
        tables: uint8 (P, classes, contexts), index into `bank` by plane, class and context.
        bank: the tables.
        layout: the shape, classes and contexts.
        threads: number of threads.
        portable: run the machine code for any processor.

    Raises:
        PlaneError: a symbol without a cell in its table, or a table that the bank lacks.
        FseError: shapes do not fit each other.
    """
    if planes.ndim != 3 or planes.shape[1:] != layout.shape:
        raise FseError(f"planes of {planes.shape} for a layout of {layout.shape}")
    layout._check_tables(tables, len(planes), bank)

    def run(part: slice) -> list[bytes]:
        symbols, count = view(planes[part]), len(planes[part])
        c_layout, _alive = layout._c_layout()
        h, w = layout.shape
        room = count * lib.fse_ramp_bound(length(h * w), bank.table_log)
        dst, c_dst = output(room)
        sizes, at = ffi.new("size_t[]", count), ffi.new("size_t *")
        result = lib.fse_encode_planes(
            bank._encoder.bank, c_layout, pointer(view(tables[part])), count, pointer(symbols),
            int(portable), scratch(layout), c_dst, room, sizes, at,
        )  # fmt: skip
        _check_plane(result, part, at[0])
        ends = np.cumsum(list(sizes))
        return [dst[end - size : end].tobytes() for end, size in zip(ends, sizes, strict=True)]

    return [payload for part in _parts(run, len(planes), threads) for payload in part]


def decode_planes(
    payloads: Sequence[Bytes], tables: Uint8, bank: Bank, layout: Layout,
    *, threads: int = 1, portable: bool = False,
) -> Uint8:  # fmt: skip
    """Decode planes; the inverse of `encode_planes`.

    Returns:
        The symbols, uint8 (P, h, w).

    Raises:
        PlaneError: `encode_planes` would not have written this payload (`reason` is a
            CorruptStream), or the bank lacks a table.
        FseError: shapes do not fit each other.
    """
    layout._check_tables(tables, len(payloads), bank)
    layout._c_layout()  # checks the shape before memory for it is allocated
    symbols = np.empty((len(payloads), *layout.shape), np.uint8)

    def run(part: slice) -> None:
        views = [view(payload) for payload in payloads[part]]
        sizes, at = ffi.new("size_t[]", [len(v) for v in views]), ffi.new("size_t *")
        c_layout, _alive = layout._c_layout()
        result = lib.fse_decode_planes(
            bank._decoder.bank, c_layout, pointer(view(tables[part])), len(views),
            pointer(np.concatenate([np.empty(0, np.uint8), *views])), sizes, int(portable),
            scratch(layout), ffi.from_buffer("uint8_t[]", symbols[part], require_writable=True),
            at,
        )  # fmt: skip
        _check_plane(result, part, at[0])

    _parts(run, len(payloads), threads)
    return symbols


def histograms(planes: Uint8, alphabet: int) -> npt.NDArray[np.uint32]:
    """Return how often each symbol occurs in each plane, uint32 (P, alphabet).

    Args:
        planes: uint8 (P, h, w), C-contiguous.
        alphabet: 1..256; every symbol is below it.

    Raises:
        FseError: a symbol outside the alphabet, or an argument out of range.
    """
    if planes.ndim != 3 or not 1 <= alphabet <= lib.FSE_ALPHABET:
        raise FseError(f"planes of {planes.shape} over {alphabet} symbols")
    counts = np.empty((len(planes), alphabet), np.uint32)
    target = ffi.from_buffer("uint32_t[]", counts, require_writable=True)
    n = planes.shape[1] * planes.shape[2]
    check(lib.fse_histograms(pointer(view(planes)), n, len(planes), alphabet, target))
    return counts


def energy_contexts(planes: Uint8) -> Uint8:
    """Return the `Context.ENERGY` of every symbol of planes, uint8 (P, h, w) -> (P, h, w)."""
    contexts = np.empty(planes.shape, np.uint8)
    for plane, made in zip(planes, contexts, strict=True):
        h, w = plane.shape
        target = ffi.from_buffer("uint8_t[]", made, require_writable=True)
        lib.fse_energy_contexts(pointer(view(plane)), w, h, target)
    return contexts


def _parts(run: Callable[[slice], Any], count: int, threads: int) -> list[Any]:
    """Call `run` for consecutive slices of 0..count, one per thread; return results in order."""
    threads = max(1, min(threads, count))
    bounds = [count * i // threads for i in range(threads + 1)]
    parts = [slice(a, b) for a, b in pairwise(bounds)]
    if threads == 1:
        return [run(part) for part in parts]
    from concurrent.futures import ThreadPoolExecutor  # slow to import

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, parts))


def scratch(layout: Layout) -> Any:
    """Return the scratch memory that the planes of a layout need."""
    return ffi.new("uint8_t[]", lib.fse_planes_scratch(layout.shape[1], layout.shape[0]))


def _check_plane(result: int, part: slice, at: int) -> None:
    try:
        check(result)
    except FseError as error:
        if part.start + at == part.stop:  # the layout is at fault, not a plane
            raise
        raise PlaneError(part.start + at, error) from error
