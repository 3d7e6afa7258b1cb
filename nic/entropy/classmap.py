"""The class map: a class for each block of 2x2 latents, and how the map itself is coded."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

import nic.fse as fse
from nic.errors import CorruptError
from nic.models.tables import BLOCK, TABLE_LOG, Prior
from nic.types import Bytes

RAMPED = 0x80  # set in the first byte of every map: its payload is ramped

Lengths = NDArray[np.uint32]


def choose(ranks: Bytes, prior: Prior, table_set: int) -> Bytes:
    """The class map with the shortest code under one set of the prior's tables.

    First each block takes the class with the shortest code for its symbols. Then each block in
    turn changes its class if that shortens the code of its symbols and of the map together. A
    second round would save only .02 %.

    Args: ranks: uint8 (C, h, w) symbol ranks.
    Returns: classes uint8 (ceil(h/2), ceil(w/2)).
    """
    tables = prior.of_channels(table_set, len(ranks), prior.has_contexts)
    costs = class_costs(ranks, tables, prior.bits)
    return np.asarray(fse.choose_classes(costs, *prior.naming(table_set)))


def class_costs(ranks: Bytes, tables: Bytes, bits: Lengths) -> Lengths:
    """Code length of every block in every class, uint32 (ceil(h/2), ceil(w/2), K).

    Args:
        ranks: uint8 (C, h, w).
        tables: uint8 (C, K, X), the table by channel, class and context of neighbours; X is 1
            without contexts.
        bits: uint32 (T, R), code length of every rank in every table, in 1/256 bit.
    """
    by_context = tables.shape[2] > 1
    context = fse.Context.ENERGY if by_context else fse.Context.CLASS
    layout = fse.Layout(ranks.shape[1:], None, tables.shape[1], context)
    return fse.class_costs(ranks, tables, bits, layout, BLOCK)


def encode(classes: Bytes, prior: Prior, table_set: int) -> bytes:
    """Chunk M: the number of the set, then the classes, coded by west and north neighbour."""
    bank, layout = _coding(prior, table_set, classes.shape)
    tables = prior.contexts[table_set].reshape(1, 1, -1)
    (payload,) = fse.encode_planes(classes[None], tables, bank, layout)
    return bytes([RAMPED | table_set]) + payload


def decode(class_map: bytes, prior: Prior | None, h: int, w: int) -> tuple[int, Bytes]:
    """Inverse of ``encode``, for latents (h, w): the set and the map. Raises CorruptError."""
    table_set, payload = class_map[0] & ~RAMPED, class_map[1:]
    if not class_map[0] & RAMPED:
        raise CorruptError("the class map is damaged: its first bit is not set")
    if prior is None or table_set >= len(prior.tables):
        raise CorruptError("the class map needs tables that the model does not have")
    shape = -(-h // BLOCK), -(-w // BLOCK)
    bank, layout = _coding(prior, table_set, shape)
    contexts = prior.contexts[table_set]
    try:
        classes = fse.decode_planes([payload], contexts.reshape(1, 1, -1), bank, layout)[0]
    except fse.PlaneError as error:
        raise CorruptError(f"the class map is damaged: {error.reason}") from error
    except fse.FseError as error:
        raise CorruptError(f"the class map is damaged: {error}") from error
    return table_set, classes


def _coding(prior: Prior, table_set: int, shape: tuple[int, ...]) -> tuple[fse.Bank, fse.Layout]:
    counts = prior.map_counts[table_set]
    bank = bank_of(counts.tobytes(), counts.shape[1])
    return bank, fse.Layout((shape[0], shape[1]), None, 1, fse.Context.PAIR)


@lru_cache(maxsize=4)
def bank_of(counts: bytes, width: int) -> fse.Bank:
    """The bank of T tables from the bytes of their normalised counts, int16 (T, ``width``)."""
    rows = np.frombuffer(counts, np.int16).reshape(-1, width)
    return fse.Bank(fse.Table.from_normalised(row, TABLE_LOG) for row in rows)
