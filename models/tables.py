"""The prior as integer tables: what files are coded with, and how the tables are made.

Every 2x2 latents have a class; a model maps (set, class, channel) to one of up to 64 shared
tables, a *set* being made for one rate point. The map of classes is coded first, each class
with a table chosen by its west and north neighbours. Everything that a decoder reads here
is an integer; costs in bits are for encoders and for fitting.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

BLOCK = 2  # latents per side of the block that shares a class
TABLE_LOG = 12
UNCODABLE = 1e6  # bits; stands for a symbol without a cell
SWEEPS = 2  # over all blocks, when classes are chosen together

Ints = NDArray[np.int16]
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Classes = NDArray[np.intp]


@dataclass(frozen=True)
class Prior:
    """Tables of one model.

    Attributes:
        counts: int16 (T, R), normalised counts of symbol ranks, each row summing to 2^12.
        tables: uint8 (S, K, C), the table of every (set, class, channel).
        map_counts: int16 (S, M, K), normalised counts of classes.
        contexts: uint8 (S, K, K), the row of ``map_counts`` by (west, north) class.
    """

    counts: Ints
    tables: Bytes
    map_counts: Ints
    contexts: Bytes

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read ``prior.npz``."""
        with np.load(path) as arrays:
            return cls(**{name: arrays[name] for name in arrays.files})

    def save(self, path: Path) -> None:
        """Write ``prior.npz``."""
        np.savez_compressed(
            path,
            counts=self.counts,
            tables=self.tables,
            map_counts=self.map_counts,
            contexts=self.contexts,
        )

    @cached_property
    def bits(self) -> Floats:
        """Code length of every rank in every table (T, R)."""
        return code_length(self.counts)

    def naming_bits(self, which: int) -> Floats:
        """Code length of every class of set ``which`` by (west, north, class): (K, K, K)."""
        bits = code_length(self.map_counts[which])  # (M, K)
        return np.asarray(bits[self.contexts[which]])


def code_length(counts: Ints) -> Floats:
    """Bits per symbol of normalised counts; UNCODABLE where there is no cell."""
    return np.where(counts > 0, TABLE_LOG - np.log2(counts.clip(min=1)), UNCODABLE)


def choose(ranks: Bytes, prior: Prior, which: int) -> Bytes:
    """The class map with the shortest code under set ``which`` of a prior.

    The choice of every block alone comes first; then blocks change class, half of them at a
    time like the squares of a chessboard, where that shortens their code and the naming of
    classes together (iterated conditional modes).

    Args: ranks: uint8 (C, h, w) symbol ranks.
    Returns: classes uint8 (ceil(h/2), ceil(w/2)).
    """
    costs = block_costs(ranks, prior.bits[prior.tables[which][:, : len(ranks)]])
    naming = prior.naming_bits(which)  # (west, north, class)
    classes = (costs + naming.mean(axis=(0, 1))).argmin(axis=2)
    squares = np.indices(classes.shape).sum(axis=0) % 2
    for turn in range(2 * SWEEPS):
        total = costs + _naming_costs(classes, naming)
        here = squares == turn % 2
        classes[here] = total[here].argmin(axis=1)
    return np.asarray(classes, np.uint8)


def _causal_neighbours(classes: Classes) -> tuple[Classes, Classes]:
    """West and north of every block; where one is outside the other stands in, else 0."""
    west = np.empty_like(classes)
    west[:, 1:] = classes[:, :-1]
    west[1:, 0] = classes[:-1, 0]
    west[0, 0] = 0
    return west, np.concatenate([west[:1], classes[:-1]])


def _naming_costs(classes: Classes, naming: Floats) -> Floats:
    """Bits (rows, columns, K) of naming a block's class and those of its east and south."""
    west, north = _causal_neighbours(classes)
    costs = naming[west, north]
    costs[:, :-1] += naming[:, north[:, 1:], classes[:, 1:]].transpose(1, 2, 0)
    costs[:-1] += naming[west[1:], :, classes[1:]]
    return costs


def block_costs(ranks: Bytes, costs: Floats) -> Floats:
    """Code length of every block in every class: float64 (ceil(h/2), ceil(w/2), K).

    Most symbols are zero, so a block starts at the cost of all zeros and only the others
    are visited.

    Args:
        ranks: uint8 (C, h, w) symbol ranks.
        costs: code lengths per (class, channel, rank), float64 (K, C, R).
    """
    count, h, w = ranks.shape
    rows, columns = -(-h // BLOCK), -(-w // BLOCK)
    padded = np.pad(ranks, ((0, 0), (0, -h % BLOCK), (0, -w % BLOCK)))
    blocks = padded.reshape(count, rows, BLOCK, columns, BLOCK).transpose(1, 3, 2, 4, 0)
    blocks = blocks.reshape(rows * columns, -1, count)  # (N, s*s, C)
    block, cell, channel = np.nonzero(blocks)  # sorted by block
    extra = (costs - costs[:, :, :1]).transpose(1, 2, 0).astype(np.float32)  # (C, R, K)
    steps = extra[channel, blocks[block, cell, channel]]  # (nonzero, K)
    busy, first = np.unique(block, return_index=True)
    inside = np.outer(_inside(h), _inside(w)).reshape(-1, 1)
    total = inside * costs[:, :, 0].sum(axis=1)  # (N, K)
    if busy.size:
        total[busy] += np.add.reduceat(steps, first, axis=0)
    return np.asarray(total.reshape(rows, columns, -1))


def _inside(size: int) -> Classes:
    """How many of each block's latents along an axis are inside the plane."""
    return np.bincount(np.arange(size) // BLOCK)


def spread(classes: Bytes, h: int, w: int) -> Bytes:
    """The class of every latent (h, w) from that of every block."""
    return np.ascontiguousarray(classes[np.arange(h) // BLOCK][:, np.arange(w) // BLOCK])
