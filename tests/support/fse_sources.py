"""Seeded random symbols and tables, from which tests and scripts/differential.py draw cases."""

import numpy as np

SOURCES = {
    "laplacian": lambda rng, n, top: np.rint(top / 2 + rng.laplace(0, rng.uniform(0.1, 6), n)),
    "uniform": lambda rng, n, top: rng.integers(0, top + 1, n),
    "sparse": lambda rng, n, top: top * (rng.random(n) < rng.uniform(0.0005, 0.05)),
    "two symbols": lambda rng, n, top: top * (rng.random(n) < rng.random()),
    "geometric": lambda rng, n, top: rng.geometric(rng.uniform(0.02, 0.9), n) - 1,
    "a few, then all": lambda rng, n, top: np.where(
        rng.random(n) < 0.5, rng.integers(0, 2, n), rng.integers(0, top + 1, n)
    ),
}


def random_counts(rng, size, log):
    """Return normalised counts that no histogram need lead to."""
    cells = 2**log
    present = int(rng.integers(2, min(size, cells) + 1))
    at = np.sort(rng.choice(size, present, replace=False))
    at[-1] = size - 1
    cuts = np.sort(rng.choice(cells - 1, present - 1, replace=False)) + 1
    norm = np.zeros(size, int)
    norm[at] = np.diff(np.concatenate([[0], cuts, [cells]]))
    norm[(norm == 1) & (rng.random(size) < 0.5)] = -1
    return norm.tolist()


def full_counts(rng, size, log):
    """Return normalised counts with cells for all symbols below `size`, 2 to 2**log."""
    cuts = np.sort(rng.choice(2**log - 1, size - 1, replace=False)) + 1
    norm = np.diff(np.concatenate([[0], cuts, [2**log]]))
    norm[(norm == 1) & (rng.random(size) < 0.5)] = -1
    return norm.tolist()
