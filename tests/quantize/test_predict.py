"""The prediction of the DC-like planes, against its definition written out cell by cell."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nic.quantize.prediction import reconstruct, residuals
from nic.types import CODEBOOK

steady = settings(deadline=None, max_examples=60)

shapes = st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12))


def planes_of(size):
    return shapes.flatmap(
        lambda shape: arrays.arrays(np.int32, shape, elements=st.integers(-size, size))
    )


def median_edge(plane, y, x):
    """The predictor of ITU-T T.87 A.4.2: West, North and North-West, 0 outside."""
    west = plane[y][x - 1] if x else 0
    north = plane[y - 1][x] if y else 0
    northwest = plane[y - 1][x - 1] if y and x else 0
    if northwest >= max(west, north):
        return min(west, north)
    if northwest <= min(west, north):
        return max(west, north)
    return west + north - northwest


def slow_residuals(plane, low, high):
    """Symbols of one plane, and what the decoder makes of them."""
    h, w = len(plane), len(plane[0])
    symbols, decoded = [[0] * w for _ in range(h)], [[0] * w for _ in range(h)]
    for y in range(h):
        for x in range(w):
            expected = median_edge(decoded, y, x)
            symbols[y][x] = min(max(plane[y][x] - expected, low), high)
            decoded[y][x] = expected + symbols[y][x]
    return symbols, decoded


@steady
@given(planes_of(6) | planes_of(40) | planes_of(2**24))
@example(np.full((1, 5, 7), 2**24, np.int32))
@example(np.array([[[0, 100, 0], [0, 0, 0]]], np.int32))
def test_both_directions_equal_the_definition(planes):
    found = residuals(planes, CODEBOOK)
    decoded = reconstruct(found)
    for plane, got, back in zip(planes.tolist(), found, decoded, strict=True):
        symbols, expected = slow_residuals(plane, *CODEBOOK)
        assert got.tolist() == symbols
        assert back.tolist() == expected


@steady
@given(planes_of(2**24))
def test_residuals_stay_in_the_codebook(planes):
    found = residuals(planes, CODEBOOK)
    assert found.dtype == np.int8
    assert CODEBOOK[0] <= found.min() <= found.max() <= CODEBOOK[1]


@steady
@given(planes_of(5))
def test_without_overflow_nothing_is_lost(planes):
    """Planes within +-5 are at most 10 from their prediction, which lies between them."""
    assert (reconstruct(residuals(planes, CODEBOOK)) == planes).all()


def test_an_overflow_is_made_good_by_the_cells_that_follow():
    plane = np.full((1, 4, 60), 300, np.int32)
    decoded = reconstruct(residuals(plane, CODEBOOK))[0]
    assert decoded[0, 0] == 16
    assert (decoded[:, 30:] == 300).all()


@pytest.mark.parametrize("shape", [(0, 4, 5), (2, 1, 1), (1, 1, 50), (1, 50, 1)])
def test_extreme_shapes_come_back(shape):
    planes = np.random.default_rng(1).integers(-7, 8, shape, np.int32)
    assert (reconstruct(residuals(planes, CODEBOOK)) == planes).all()
