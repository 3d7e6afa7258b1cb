"""Making a model's prior tables from symbols of training pictures.

Lloyd's algorithm in units of code length: classes are split in two until there are enough,
and in between blocks move to the class that codes them shortest. Then the histograms of all
(set, class, channel) are clustered, the same way, into the shared tables.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nic.models.tables import TABLE_LOG, Bytes, Floats, Ints, Prior, block_costs, spread

RANKS = 32
ROUNDS = 6  # of moving blocks, after every split
TABLES = 64
CONTEXTS = 16  # tables for the class map, per set
RARE = 2.0**-17  # below this probability a symbol loses its cell, but for the last class

Planes = Sequence[Bytes]  # per picture: uint8 ranks (C, h, w)


def fit(sets: Sequence[Planes], classes: int, seed: int = 1) -> Prior:
    """Fit a prior to the symbols of the same pictures at several rate points."""
    rng = np.random.default_rng(seed)
    histograms, maps = zip(*(_fit_classes(planes, classes, rng) for planes in sets), strict=True)
    every = np.stack(histograms)  # (S, K, C, R)
    flat = every.reshape(-1, RANKS)
    assigned = cluster(flat, TABLES)
    tables = assigned.reshape(every.shape[:3]).astype(np.uint8)
    whole = set(tables[:, -1].ravel().tolist())  # the last class must code any symbol
    counts = np.stack(
        [_normalise(flat[assigned == t].sum(axis=0), t in whole) for t in range(TABLES)]
    )
    contexts = [_fit_contexts(of_set, classes) for of_set in maps]
    return Prior(
        counts=counts,
        tables=tables,
        map_counts=np.stack([rows for rows, _ in contexts]),
        contexts=np.stack([table for _, table in contexts]),
    )


def cluster(histograms: Floats, count: int, rounds: int = 30) -> NDArray[np.intp]:
    """Assign histograms (N, R) to ``count`` clusters of least total code length."""
    weight = histograms.sum(axis=1)
    share = (histograms + 0.01) / (weight + 0.01 * histograms.shape[1])[:, None]
    entropy = -(share * np.log2(share)).sum(axis=1)
    assigned = np.empty(len(histograms), np.intp)
    assigned[np.argsort(entropy)] = np.arange(len(histograms)) * count // len(histograms)
    for _ in range(rounds):
        sums = np.stack([histograms[assigned == t].sum(axis=0) for t in range(count)])
        empty = sums.sum(axis=1) == 0
        sums[empty] = histograms[np.argsort(-weight)[: empty.sum()]]  # restart those anew
        model = (sums + 0.01) / (sums + 0.01).sum(axis=1, keepdims=True)
        assigned = (histograms @ -np.log2(model).T).argmin(axis=1)
    return assigned


def _fit_classes(
    planes: Planes, count: int, rng: np.random.Generator
) -> tuple[Floats, list[Bytes]]:
    """Histograms (K, C, R) of each class, cheapest class first, and the map of each picture."""
    maps = [np.zeros((-(-p.shape[1] // 2), -(-p.shape[2] // 2)), np.uint8) for p in planes]
    histogram = _histogram(planes, maps, 1)
    while len(histogram) < count:
        noise = rng.uniform(0.7, 1.3, (2, *histogram.shape[:2], 1))
        noise = np.concatenate([np.ones_like(noise), noise], axis=3).repeat([1, RANKS - 1], axis=3)
        histogram = (histogram[None] * noise).reshape(-1, *histogram.shape[1:])[:count]
        frequency: Floats = np.ones(len(histogram))
        for _ in range(ROUNDS):
            index_bits = -np.log2(frequency / frequency.sum())
            costs = _costs(histogram)
            maps = [
                (block_costs(p, costs) + index_bits).argmin(axis=2).astype(np.uint8) for p in planes
            ]
            every = np.concatenate([m.ravel() for m in maps])
            frequency = np.bincount(every, minlength=len(histogram)) + np.float64(1)
            histogram = _histogram(planes, maps, len(histogram))
    costs = _costs(histogram)
    order = np.argsort((histogram * costs).sum(axis=(1, 2)) / _size(histogram))
    rank = np.argsort(order).astype(np.uint8)
    return histogram[order], [rank[m] for m in maps]


def _size(histogram: Floats) -> Floats:
    return np.asarray(histogram[:, 0].sum(axis=1).clip(min=1))


def _costs(histogram: Floats) -> Floats:
    """Code lengths (K, C, R), smoothed towards the channel's mean over all classes."""
    mean = histogram.sum(axis=0) + 0.05
    mean /= mean.sum(axis=1, keepdims=True)
    smooth = histogram + 4 * mean
    return np.asarray(-np.log2(smooth / smooth.sum(axis=2, keepdims=True)))


def _histogram(planes: Planes, maps: list[Bytes], count: int) -> Floats:
    """Histograms (K, C, R), both signs of a magnitude pooled."""
    channels = planes[0].shape[0]
    total = np.zeros(count * channels * RANKS)
    for ranks, classes in zip(planes, maps, strict=True):
        of_cell = spread(classes, *ranks.shape[1:]).astype(np.intp)
        cell = (of_cell * channels + np.arange(channels)[:, None, None]) * RANKS + ranks
        total += np.bincount(cell.ravel(), minlength=total.size)
    histogram = total.reshape(count, channels, RANKS)
    pairs = histogram[:, :, 1:-1].reshape(count, channels, -1, 2).mean(axis=3)
    histogram[:, :, 1:-1] = pairs.repeat(2, axis=2)
    return histogram


def _fit_contexts(maps: list[Bytes], count: int) -> tuple[Ints, Bytes]:
    """Tables (M, K) for the class map, and which of them each (west, north) takes (K, K)."""
    total = np.zeros((count, count, count))
    for classes in maps:
        np.add.at(total, (classes[1:, :-1], classes[:-1, 1:], classes[1:, 1:]), 1)
    flat = total.reshape(-1, count)
    assigned = cluster(flat + total.mean(axis=(0, 1)) * 0.01, CONTEXTS)
    rows = [_normalise(flat[assigned == t].sum(axis=0), True) for t in range(CONTEXTS)]
    return np.stack(rows), assigned.reshape(count, count).astype(np.uint8)


def _normalise(histogram: Floats, whole: bool) -> Ints:
    """Normalised counts; rare symbols get a cell only if the table must be ``whole``."""
    share = (histogram + 1e-3) / (histogram + 1e-3).sum()
    share[share < RARE] = 2.0**-20 if whole else 0
    if np.count_nonzero(share) < 2:  # a table needs two symbols
        share[:2] = share[:2].clip(min=2.0**-20)
    cells = 2**TABLE_LOG
    counts = np.where(share > 0, np.maximum(1, np.rint(share / share.sum() * cells)), 0)
    counts[counts.argmax()] += cells - counts.sum()
    return np.asarray(counts, np.int16)
