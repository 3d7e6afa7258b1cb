"""The prior as integer tables: what files are coded with.

Every 2x2 latents have a class; a model maps (set, class, channel, context) to one of up to 64
shared tables, a *set* being made for one rate point. The map of classes is coded first, each
class with a table chosen by its west and north neighbours. Everything that a decoder reads here
is an integer; costs in bits are for encoders and for fitting.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nic.types import Bytes

BLOCK = 2  # latents per side of the block that shares a class
TABLE_LOG = 12
UNIT = 256  # of code lengths: parts of a bit
UNCODABLE = 1 << 20  # code length of a symbol without a cell

Ints = NDArray[np.int16]
Lengths = NDArray[np.uint32]


@dataclass(frozen=True)
class Prior:
    """Tables of one model.

    Attributes:
        counts: int16 (T, R), normalised counts of symbol ranks, each row summing to 2^12.
        tables: uint8 (S, K, C, 1 + X), the table of every (set, class, channel) without a
            context, and then with each of X contexts of decoded neighbours; X may be 0.
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

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.tables.shape[1])

    @property
    def has_contexts(self) -> bool:
        """Whether there are tables by decoded neighbours."""
        return bool(self.tables.shape[3] > 1)

    def of_channels(self, table_set: int, channels: int, by_context: bool) -> Bytes:
        """Tables of the first channels in one set, as planes take them: (C, K, X or 1)."""
        some = slice(1, None) if by_context else slice(0, 1)
        return np.ascontiguousarray(self.tables[table_set, :, :channels, some].transpose(1, 0, 2))

    def set_for(self, quality: float) -> int:
        """The set made for the rate point nearest to a quality in 1..100."""
        return round((quality - 1) / 99 * (len(self.tables) - 1))

    @cached_property
    def bits(self) -> Lengths:
        """Code length of every rank in every table (T, R), in 1/256 bit."""
        return code_length(self.counts)

    def naming(self, table_set: int) -> tuple[Lengths, Bytes]:
        """What naming a class takes in one set.

        Returns: code lengths uint32 (M, K), in 1/256 bit, of every class in every context; and
            the context by the classes to the west and to the north, uint8 (K, K).
        """
        lengths = code_length(self.map_counts[table_set])
        return lengths, np.ascontiguousarray(self.contexts[table_set])


def code_length(counts: Ints) -> Lengths:
    """Code lengths of normalised counts, in 1/256 bit; UNCODABLE where there is no cell."""
    exact = UNIT * (TABLE_LOG - np.log2(counts.clip(min=1)))
    return np.where(counts > 0, np.rint(exact), UNCODABLE).astype(np.uint32)


def spread(classes: Bytes, h: int, w: int) -> Bytes:
    """The class of every latent (h, w) from that of every block."""
    return np.ascontiguousarray(classes[np.arange(h) // BLOCK][:, np.arange(w) // BLOCK])
