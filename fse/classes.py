"""Choosing a class for every block of symbols: the cost of each class, and the best choice.

Only encoders use it; decoders read the classes from the file.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._fse import ffi, lib
from .buffers import Uint8, output, pointer, view
from .planes import Layout, scratch
from .result import FseError, check

Costs = npt.NDArray[np.uint32]


def class_costs(planes: Uint8, tables: Uint8, bits: Costs, layout: Layout, block: int) -> Costs:
    """Return the cost of each block of symbols in each class, summed over all planes.

    Args:
        planes: uint8 (P, h, w).
        tables: uint8 (P, classes, contexts), row of `bits` by plane, class and context.
        bits: uint32 (tables, alphabet), the cost of each symbol in each table, in any unit.
        layout: the shape, classes and contexts; its `class_of` is ignored.
        block: symbols per side of a block.

    Returns:
        uint32 (ceil(h / block), ceil(w / block), classes), in the same unit, modulo 2**32.

    Raises:
        FseError: shapes do not fit each other, or a symbol is outside the alphabet.
    """
    if bits.dtype != np.uint32 or bits.ndim != 2 or not bits.flags.c_contiguous:
        raise FseError("costs of symbols are not uint32 (tables, alphabet), C-contiguous")
    if block < 1:
        raise FseError(f"blocks of {block} symbols per side")
    count, alphabet = bits.shape
    contexts = layout.context.count(alphabet)
    if planes.shape[1:] != layout.shape or tables.shape != (len(planes), layout.classes, contexts):
        raise FseError("planes, tables and layout do not fit each other")
    c_layout, _alive = layout._c_layout()
    h, w = layout.shape
    costs = np.empty((-(-h // block), -(-w // block), layout.classes), np.uint32)
    steps = ffi.new("uint32_t[]", contexts * alphabet * layout.classes)
    check(
        lib.fse_class_costs(
            c_layout, {"table_log": lib.FSE_MAX_LOG, "alphabet": alphabet, "tables": count},
            pointer(view(tables)), len(planes), ffi.from_buffer("uint32_t[]", bits),
            pointer(view(planes)), block, scratch(layout), steps,
            ffi.from_buffer("uint32_t[]", costs, require_writable=True),
        )
    )  # fmt: skip
    return costs


def choose_classes(costs: Costs, naming: Costs, pairs: Uint8) -> Uint8:
    """Return a class for every block, with a low cost of the symbols and the class map together.

    First each block takes the class with the least cost of its symbols. Then each block in order
    chooses again, and takes the cost of coding the class map into account (one sweep of iterated
    conditional modes).

    Args:
        costs: uint32 (rows, columns, K), see `class_costs`.
        naming: uint32 (X, K), the cost of coding each class in each context, in the same unit.
        pairs: uint8 (K, K), the context by west and north class. If one neighbour is outside the
            map, the other is used for both; if both are, class 0.

    Returns:
        uint8 (rows, columns).

    Raises:
        FseError: shapes do not fit each other, or `naming` lacks a context.
    """
    for array in (costs, naming):
        if array.dtype != np.uint32 or not array.flags.c_contiguous:
            raise FseError("costs are not uint32, C-contiguous")
    if costs.ndim != 3 or naming.ndim != 2 or pairs.shape != 2 * costs.shape[2:]:
        raise FseError("costs, naming and pairs do not fit each other")
    rows, columns, classes = costs.shape
    if naming.shape[1] != classes:
        raise FseError("costs, naming and pairs do not fit each other")
    chosen, target = output(rows * columns)
    check(
        lib.fse_choose_classes(
            ffi.from_buffer("uint32_t[]", costs), rows, columns, classes,
            ffi.from_buffer("uint32_t[]", naming), pointer(view(pairs)), len(naming),
            ffi.new("uint32_t[]", lib.fse_choose_scratch(classes, len(naming))), target,
        )
    )  # fmt: skip
    return chosen.reshape(rows, columns)
