"""Tables of one byte: against the model, and what coding with them costs."""

import re

import fse_model_ramp as ramped
import numpy as np
import pytest
from places import ROOT

import nic.fse as fse
from nic.fse import FseError, Table

SOURCE = ROOT / "fse" / "fse_laplace.c"


def counts_of(parameter, log):
    """Return the counts of all 32 ranks; None where there is no such table."""
    try:
        counts = Table.from_parameter(parameter, log).counts
    except FseError:
        return None
    return [*counts, *[0] * (32 - len(counts))]


@pytest.mark.parametrize("log", range(5, 13))
def test_tables_equal_the_model(log):
    """All 256; where one has too few cells, both say so."""
    found = [counts_of(parameter, log) for parameter in range(256)]
    assert found == [ramped.laplace(parameter, log) for parameter in range(256)]
    assert (None in found) == (log == 5)


def test_constants_follow_their_formula():
    """The decay of each scale, as written in the source."""
    text = SOURCE.read_text()
    table = re.search(r"DECAY\[FSE_SCALES\] = \{([^}]*)\}", text).group(1)
    assert [int(n) for n in re.findall(r"\d+", table)] == [ramped.decay(i) for i in range(32)]


def test_reach():
    """The upper three bits end the table at a magnitude."""
    for j, reach in enumerate(ramped.REACH):
        assert Table.from_parameter(32 * j + 20).max_symbol == min(2 * reach, 31)


def to_ranks(values):
    """Return ranks 0, 1, 2, 3, 4, ... of 0, -1, 1, -2, 2, ..."""
    return np.where(values < 0, -2 * values - 1, 2 * values).astype(np.uint8)


def entropy(ranks):
    """Return the order-0 entropy of all of them, in bytes."""
    counts = np.bincount(ranks.ravel())
    counts = counts[counts > 0]
    return float(counts @ np.log2(counts.sum() / counts)) / 8


@pytest.mark.parametrize("seed", range(6))
def test_small_planes_cost_their_entropy(seed):
    """64x64 planes of sigma 0.5: within 1.0% of the order-0 bound, with the parameter's byte."""
    values = np.rint(np.random.default_rng(seed).laplace(0, 0.5 / np.sqrt(2), (64, 64)))
    ranks = to_ranks(values)
    parameter, bits = fse.best_parameter(np.bincount(ranks.ravel()))
    table = Table.from_parameter(parameter)
    payload = fse.encode_ramp(ranks, table)
    assert np.array_equal(fse.decode_ramp(payload, 4096, table), ranks.ravel())
    assert len(payload) + 1 <= 1.010 * entropy(ranks)
    assert abs(len(payload) - bits / 8) <= 4


def test_best_parameter_is_the_best():
    """No other table is shorter, by its own account."""
    rng = np.random.default_rng(8)
    for sigma in (0.1, 0.5, 2, 8):
        ranks = to_ranks(np.clip(np.rint(rng.laplace(0, sigma, 500)), -16, 15))
        histogram = np.bincount(ranks)
        parameter, bits = fse.best_parameter(histogram)
        costs = [Table.from_parameter(p).bits(histogram) for p in range(256)]
        assert min(costs) == pytest.approx(costs[parameter]) == pytest.approx(bits)


ARGUMENTS = {
    "parameter below 0": (lambda: Table.from_parameter(-1), "not in 0..255"),
    "parameter above 255": (lambda: Table.from_parameter(256), "not in 0..255"),
    "table log 4": (lambda: Table.from_parameter(0, 4), "table log"),
    "table log 13": (lambda: Table.from_parameter(0, 13), "table log"),
    "too few cells": (lambda: Table.from_parameter(255, 5), "does not fit"),
    "no rank": (lambda: fse.best_parameter([]), "histogram of 0"),
    "no occurrence": (lambda: fse.best_parameter([0, 0]), "histogram of 0"),
    "33 ranks": (lambda: fse.best_parameter([1] * 33), "histogram of 33"),
    "negative occurrences": (lambda: fse.best_parameter([1, -1]), "outside"),
}


@pytest.mark.parametrize("fault", ARGUMENTS)
def test_refused_arguments(fault):
    """Each is an FseError."""
    call, message = ARGUMENTS[fault]
    with pytest.raises(FseError, match=message) as error:
        call()
    assert error.type is FseError
