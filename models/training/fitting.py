"""Fitting a model's prior tables to the symbols of training pictures.

Lloyd's algorithm with code length as its measure, for tables and classes in turn. The histograms
of all (class, channel, context) are clustered into tables; then each block moves to the class with
the shortest code in these tables; and so on. At the start, blocks are sorted by code length and
cut into classes of equal size.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nic.models.tables import BLOCK, TABLE_LOG, UNIT, Ints, Lengths, Prior, spread
from nic.types import Bytes, Doubles

RANKS = 32
ROUNDS = 20  # rounds of clustering tables and choosing classes
TABLES = 64  # number of tables
WHOLE = 12  # tables only for the last class, in which any symbol can be coded
AT_ONCE = 32  # pictures that are counted together
PER_MAP_TABLE = 2  # classes per table of the class map, in one set
RARE = 2.0**-15  # below this probability a symbol gets no cell, except in whole tables

Planes = Sequence[Bytes]  # per picture: uint8 ranks (C, h, w)
# Gives costs (h/2, w/2, K) for ranks (C, h, w), tables (C, K, X) and code lengths (T, R).
Costs = Callable[[Bytes, Bytes, Lengths], Lengths]


def fit(
    sets: Sequence[Planes], classes: int, contexts_of: Callable[[Bytes], Bytes], costs_of: Costs
) -> Prior:
    """Fit a prior to the symbols of the same pictures at several rate points.

    Args:
        sets: for each rate point, the ranks of every picture.
        classes: number of classes.
        contexts_of: gives the context of every symbol for ranks (C, h, w).
        costs_of: gives the code length of every block in every class.
    """
    fitted = [_Classes(planes, classes, contexts_of).fit(costs_of) for planes in sets]
    by_context = np.stack([f.histogram for f in fitted])  # (S, K, C, X, R)
    every = np.concatenate([by_context.sum(axis=3, keepdims=True), by_context], axis=3)
    # Cells for all symbols would make the other tables longer, so whole tables are kept apart.
    tables = np.empty(every.shape[:-1], np.uint8)
    most = cluster(every[:, :-1].reshape(-1, RANKS), TABLES - WHOLE)
    tables[:, :-1] = most.reshape(tables[:, :-1].shape)
    last = cluster(every[:, -1].reshape(-1, RANKS), WHOLE)
    tables[:, -1] = TABLES - WHOLE + last.reshape(tables[:, -1].shape)
    sums = np.zeros((TABLES, RANKS))
    np.add.at(sums, tables.ravel(), every.reshape(-1, RANKS))
    counts = [_normalise(row, t >= TABLES - WHOLE) for t, row in enumerate(sums)]
    contexts = [_fit_contexts(f.maps, classes) for f in fitted]
    return Prior(
        counts=np.stack(counts),
        tables=tables,
        map_counts=np.stack([rows for rows, _ in contexts]),
        contexts=np.stack([table for _, table in contexts]),
    )


def cluster(
    histograms: Doubles, count: int, rounds: int = 30, assigned: NDArray[np.intp] | None = None
) -> NDArray[np.intp]:
    """Assign histograms (N, R) to ``count`` clusters; return the cluster of each, (N,).

    Minimises the total code length. ``assigned`` is a start; without it, histograms are sorted by
    entropy and cut into equal parts.
    """
    weight = histograms.sum(axis=1)
    if assigned is None:
        share = (histograms + 0.01) / (weight + 0.01 * histograms.shape[1])[:, None]
        entropy = -(share * np.log2(share)).sum(axis=1)
        assigned = np.empty(len(histograms), np.intp)
        assigned[np.argsort(entropy)] = np.arange(len(histograms)) * count // len(histograms)
    for _ in range(rounds):
        sums = np.zeros((count, histograms.shape[1]))
        np.add.at(sums, assigned, histograms)
        empty = sums.sum(axis=1) == 0
        sums[empty] = histograms[np.argsort(-weight)[: empty.sum()]]  # restart empty clusters
        assigned = (histograms @ _bits(sums).T).argmin(axis=1)
    return assigned


def _bits(histograms: Doubles) -> Doubles:
    smooth = histograms + 0.01
    return np.asarray(-np.log2(smooth / smooth.sum(axis=1, keepdims=True)))


class _Classes:
    """The classes of one set: the class map of each picture, and the histograms by class."""

    def __init__(self, planes: Planes, count: int, contexts_of: Callable[[Bytes], Bytes]) -> None:
        self.planes, self.count = planes, count
        contexts = [contexts_of(ranks) for ranks in planes]
        self.levels = 1 + max(int(levels.max()) for levels in contexts)
        self.channels = planes[0].shape[0]
        channel = np.arange(self.channels)[:, None, None] * self.levels
        # The index of each symbol's bin in the flat histogram of a class.
        self.keys = [
            ((channel + levels) * RANKS + ranks).astype(np.int32)
            for levels, ranks in zip(contexts, planes, strict=True)
        ]
        self.maps = self._shares()
        self.histogram = self._count()

    def fit(self, costs_of: Costs) -> "_Classes":
        """Fit tables and classes in turn, then sort the classes, the cheapest first."""
        assigned = None
        for _ in range(ROUNDS):
            flat = self.histogram.reshape(-1, RANKS)
            assigned = cluster(flat, TABLES, 30 if assigned is None else 3, assigned)
            sums = np.zeros((TABLES, RANKS))
            np.add.at(sums, assigned, flat)
            bits = np.rint(UNIT * _bits(sums)).astype(np.uint32)
            tables = assigned.reshape(self.histogram.shape[:-1]).astype(np.uint8)
            tables = np.ascontiguousarray(tables.transpose(1, 0, 2))  # (C, K, X)
            used = np.bincount(np.concatenate([m.ravel() for m in self.maps]), minlength=self.count)
            naming = UNIT * -np.log2((used + 1) / (used + 1).sum())
            self.maps = [
                (costs_of(ranks, tables, bits) + naming).argmin(axis=2).astype(np.uint8)
                for ranks in self.planes
            ]
            self.histogram = self._count()
        by_channel = self.histogram.sum(axis=2)  # (K, C, R)
        size = by_channel[:, 0].sum(axis=1).clip(min=1)
        order = np.argsort((by_channel * _zero_order(by_channel)).sum(axis=(1, 2)) / size)
        rank = np.argsort(order).astype(np.uint8)
        self.histogram, self.maps = self.histogram[order], [rank[m] for m in self.maps]
        return self

    def _shares(self) -> list[Bytes]:
        """Class maps with equally many blocks per class, sorted by code length without classes."""
        self.maps = [np.zeros((1, 1), np.uint8)] * len(self.planes)
        lengths = _zero_order(self._count().sum(axis=2))[0]  # (C, R)
        each = [_block_sums(np.take_along_axis(lengths, r.reshape(len(r), -1).astype(int), 1)
                            .reshape(r.shape).sum(axis=0)) for r in self.planes]  # fmt: skip
        bounds = np.quantile(np.concatenate([e.ravel() for e in each]),
                             np.arange(1, self.count) / self.count)  # fmt: skip
        return [np.searchsorted(bounds, e).astype(np.uint8) for e in each]

    def _count(self) -> Doubles:
        """Histograms (K, C, X, R); both signs of a magnitude get their mean."""
        size = self.channels * self.levels * RANKS
        total = np.zeros(self.count * size, np.int64)
        for first in range(0, len(self.keys), AT_ONCE):  # the total is larger than a picture
            some = slice(first, first + AT_ONCE)
            cells = [
                self._cells(*both) for both in zip(self.keys[some], self.maps[some], strict=True)
            ]
            total += np.bincount(np.concatenate(cells), minlength=total.size)
        histogram = total.reshape(self.count, self.channels, self.levels, RANKS).astype(float)
        pairs = histogram[..., 1:-1].reshape(*histogram.shape[:3], -1, 2).mean(axis=4)
        histogram[..., 1:-1] = pairs.repeat(2, axis=3)
        return histogram

    def _cells(self, key: NDArray[np.int32], classes: Bytes) -> NDArray[np.int32]:
        """Where each symbol of a picture is counted in all histograms (n,)."""
        h, w = key.shape[1:]
        at = spread(np.broadcast_to(classes, (-(-h // BLOCK), -(-w // BLOCK))), h, w)
        size = self.channels * self.levels * RANKS
        return np.asarray((key + at * np.int32(size)).ravel())


def _zero_order(histogram: Doubles) -> Doubles:
    """Code lengths (K, C, R) with one table per channel for all classes."""
    smooth = histogram.sum(axis=0) + 0.05
    bits = -np.log2(smooth / smooth.sum(axis=1, keepdims=True))
    return np.asarray(np.broadcast_to(bits, histogram.shape))


def _block_sums(values: Doubles) -> Doubles:
    """Sums of 2x2 blocks: (h, w) -> (ceil(h/2), ceil(w/2))."""
    h, w = values.shape
    padded = np.pad(values, ((0, -h % BLOCK), (0, -w % BLOCK)))
    blocks = padded.reshape(-(-h // BLOCK), BLOCK, -(-w // BLOCK), BLOCK)
    return np.asarray(blocks.sum(axis=(1, 3)))


def _fit_contexts(maps: list[Bytes], count: int) -> tuple[Ints, Bytes]:
    """Tables (M, K) for the class map, and the table for each (west, north) class, (K, K)."""
    total = np.zeros((count, count, count))
    for classes in maps:
        np.add.at(total, (classes[1:, :-1], classes[:-1, 1:], classes[1:, 1:]), 1)
    flat = total.reshape(-1, count)
    tables = max(1, count // PER_MAP_TABLE)
    assigned = cluster(flat + total.mean(axis=(0, 1)) * 0.01, tables)
    rows = [_normalise(flat[assigned == t].sum(axis=0), True) for t in range(tables)]
    return np.stack(rows), assigned.reshape(count, count).astype(np.uint8)


def _normalise(histogram: Doubles, whole: bool) -> Ints:
    """Normalised counts of a histogram; rare symbols get a cell only in ``whole`` tables."""
    share = (histogram + 1e-3) / (histogram + 1e-3).sum()
    share[share < RARE] = 2.0**-20 if whole else 0
    if np.count_nonzero(share) < 2:  # a table needs two symbols
        share[:2] = share[:2].clip(min=2.0**-20)
    cells = 2**TABLE_LOG
    counts = np.where(share > 0, np.maximum(1, np.rint(share / share.sum() * cells)), 0)
    counts[counts.argmax()] += cells - counts.sum()
    return np.asarray(counts, np.int16)
