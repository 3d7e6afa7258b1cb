"""The C coder against the Python model of the format, byte for byte, on seeded random input."""

import fse_model as model
import numpy as np
import pytest
from fse_sources import SOURCES, random_counts

import nic.fse as fse


def draw(rng, source, longest):
    """Return random symbols, and the largest that they might have had."""
    top = int(rng.choice([1, 2, 3, 31, 255, rng.integers(1, 256)]))
    n = int(rng.integers(0, rng.choice([12, 70, 300, longest]) + 1))
    return np.clip(SOURCES[source](rng, n, top), 0, top).astype(np.uint8), top


@pytest.mark.parametrize("source", SOURCES)
def test_compress_equals_the_model(source):
    """Kind and bytes agree, and the bytes decode."""
    rng = np.random.default_rng([1, *source.encode()])
    for _ in range(400):
        symbols, top = draw(rng, source, 1500)
        log = int(rng.integers(5, 13))
        coded = fse.compress(symbols, max_symbol=top, table_log=log)
        assert (coded.kind.name, coded.data) == model.compress(symbols.tobytes(), log)
        if coded.kind is fse.Kind.STREAM:
            back = fse.decompress(coded.data, len(symbols), max_symbol=top)
            assert np.array_equal(back, symbols)


@pytest.mark.parametrize("n", [4096, 4999, 5000])
@pytest.mark.parametrize("source", SOURCES)
def test_long_inputs_equal_the_model(source, n):
    """Long inputs, where the finest tables are used."""
    rng = np.random.default_rng([2, n, *source.encode()])
    symbols = np.clip(SOURCES[source](rng, n, 31), 0, 31).astype(np.uint8)
    coded = fse.compress(symbols, max_symbol=31, table_log=12)
    assert (coded.kind.name, coded.data) == model.compress(symbols.tobytes(), 12)


@pytest.mark.parametrize("log", range(5, 13))
def test_normalisation_equals_the_model(log):
    """Histograms of every shape, also those that do not fit: both refuse the same ones."""
    rng = np.random.default_rng([3, log])
    outcomes = set()
    for _ in range(400):
        size = int(rng.integers(2, 257))
        counts = rng.geometric(rng.choice([0.001, 0.1, 0.5, 0.9]), size) - 1
        counts[rng.integers(0, size, rng.integers(0, size))] = 0
        counts[rng.integers(0, size)] += rng.choice([0, 1, 100, 10**6])
        counts[[0, -1]] += 1
        expected = model.normalise(counts.tolist(), log)
        try:
            found = list(fse.Table.from_counts(counts, log).counts)
        except fse.FseError:
            found = None
        assert found == expected
        outcomes.add(found is None)
    assert outcomes == ({True, False} if log < 8 else {False})


@pytest.mark.parametrize("log", [5, 6, 8])
@pytest.mark.parametrize("gap", [1, 2])
def test_flat_histograms_equal_the_model(log, gap):
    """Symbols of 1 to 1.5 cells each: where all round up, cells run out; also with rare ones."""
    for rare in (0, 2, 7):
        for present in range(2, 2**log - rare):
            counts = np.zeros(256 * gap, int)[: (present + rare) * gap - gap + 1]
            counts[::gap] = [1] * rare + [1000 + s % 2 for s in range(present)]
            if len(counts) <= 256:
                table = fse.Table.from_counts(counts, log)
                assert list(table.counts) == model.normalise(counts.tolist(), log)


def test_headers_equal_the_model():
    """Tables of random counts, with long runs of zeros and with rare symbols."""
    rng = np.random.default_rng(4)
    for _ in range(500):
        log = int(rng.integers(5, 13))
        norm = random_counts(rng, int(rng.integers(2, 257)), log)
        header = fse.Table(tuple(norm), log).header()
        assert header == model.header(norm, log)
        assert fse.Table.from_header(header + b"\xff") == (fse.Table(tuple(norm), log), len(header))


def test_payloads_equal_the_model():
    """Any table, with a symbol's cost far from its frequency."""
    rng = np.random.default_rng(5)
    for _ in range(300):
        log, size = int(rng.integers(5, 11)), int(rng.integers(2, 257))
        norm = random_counts(rng, size, log)
        symbols = rng.choice(np.flatnonzero(norm), rng.integers(0, 60)).astype(np.uint8)
        table = fse.Table(tuple(norm), log)
        payload = fse.encode(symbols, table)
        assert payload == model.payload(symbols.tolist(), norm, log)
        assert np.array_equal(fse.decode(payload, len(symbols), table), symbols)
