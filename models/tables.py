"""The prior of a model as integer tables, with which files are coded.

Every block of 2x2 latents has a class. A model has up to 64 tables, and maps (set, class, channel,
context) to one of them. There is a *set* for each rate point. The class map is coded first; the
west and north neighbours of a class choose its table. Decoders use only integers. Costs in bits
are for encoders and for fitting.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from nic.types import Bytes

BLOCK = 2  # latents a side of the block that shares a class
TABLE_LOG = 12
UNIT = 256  # units per bit, in which code lengths are counted
UNCODABLE = 1 << 20  # code length of a symbol that its table cannot code

Ints = NDArray[np.int16]
Lengths = NDArray[np.uint32]


@dataclass(frozen=True)
class Prior:
    """Tables of one model.

    Attributes:
        counts: int16 (T, R), normalised counts of symbol ranks; each row sums to 2^12.
        tables: uint8 (S, K, C, 1 + X), row of ``counts`` by set, class, channel and context. The
            first entry is for coding without contexts. X contexts of decoded neighbours follow;
            X may be 0.
        map_counts: int16 (S, M, K), normalised counts of classes.
        contexts: uint8 (S, K, K), row of ``map_counts`` by set, west class and north class.
    """

    counts: Ints
    tables: Bytes
    map_counts: Ints
    contexts: Bytes

    @classmethod
    def load(cls, file: Path | BinaryIO) -> Self:
        """Read ``prior.npz``."""
        with np.load(file) as arrays:
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

    @property
    def classes(self) -> int:
        """Number of classes, K."""
        return int(self.tables.shape[1])

    @property
    def has_contexts(self) -> bool:
        """Whether there are tables by contexts of decoded neighbours."""
        return bool(self.tables.shape[3] > 1)

    def of_channels(self, table_set: int, channels: int, by_context: bool) -> Bytes:
        """Tables of the first ``channels`` channels in one set, uint8 (channels, K, X or 1)."""
        some = slice(1, None) if by_context else slice(0, 1)
        return np.ascontiguousarray(self.tables[table_set, :, :channels, some].transpose(1, 0, 2))

    def set_for(self, quality: float) -> int:
        """The set for the rate point nearest to a quality in 1..100."""
        return round((quality - 1) / 99 * (len(self.tables) - 1))

    @cached_property
    def bits(self) -> Lengths:
        """Code length of every rank in every table, uint32 (T, R), in 1/256 bit."""
        return code_length(self.counts)

    def naming(self, table_set: int) -> tuple[Lengths, Bytes]:
        """The cost of coding classes in the class map, in one set.

        Returns: code length of every class in every context, uint32 (M, K), in 1/256 bit; and the
            context by west and north class, uint8 (K, K).
        """
        lengths = code_length(self.map_counts[table_set])
        return lengths, np.ascontiguousarray(self.contexts[table_set])


def code_length(counts: Ints) -> Lengths:
    """Code lengths for normalised counts, uint32, in 1/256 bit; UNCODABLE for a count of 0."""
    exact = UNIT * (TABLE_LOG - np.log2(counts.clip(min=1)))
    return np.where(counts > 0, np.rint(exact), UNCODABLE).astype(np.uint32)


def spread(classes: Bytes, h: int, w: int) -> Bytes:
    """The class of every latent, uint8 (h, w), from the class of every block."""
    return np.ascontiguousarray(classes[np.arange(h) // BLOCK][:, np.arange(w) // BLOCK])
