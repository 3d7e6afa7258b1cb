"""How long the entropy coder takes through Python: ``pytest tests/bench/test_benchmarks_fse.py
--benchmark-enable``. Without the option each runs once, as a test that it runs at all."""

import numpy as np
import pytest

import nic.fse as fse
from nic.entropy.coding import to_ranks
from nic.format.records import Stage
from nic.fse import Context, Layout, Table

N = 32768


@pytest.fixture(scope="module")
def ranks():
    """A Laplacian source of standard deviation 1."""
    values = np.rint(np.random.default_rng(1).laplace(0, np.sqrt(0.5), N)).clip(-16, 15)
    return np.where(values < 0, -2 * values - 1, 2 * values).astype(np.uint8)


@pytest.fixture(scope="module")
def table(ranks):
    return Table.from_parameter(fse.best_parameter(np.bincount(ranks))[0])


CODERS = {
    "two states": (fse.encode, fse.decode),
    "ramped": (fse.encode_ramp, fse.decode_ramp),
    "ramped, portable": (
        lambda symbols, table: fse.encode_ramp(symbols, table, portable=True),
        lambda payload, n, table: fse.decode_ramp(payload, n, table, portable=True),
    ),
}


@pytest.mark.parametrize("coder", CODERS)
def test_encoding(benchmark, coder, ranks, table):
    payload = benchmark(CODERS[coder][0], ranks, table)
    assert np.array_equal(CODERS[coder][1](payload, N, table), ranks)


@pytest.mark.parametrize("coder", CODERS)
def test_decoding(benchmark, coder, ranks, table):
    payload = CODERS[coder][0](ranks, table)
    assert np.array_equal(benchmark(CODERS[coder][1], payload, N, table), ranks)


def test_whole_call(benchmark, ranks):
    assert benchmark(fse.compress, ranks, max_symbol=31).kind is fse.Kind.STREAM


def test_whole_call_back(benchmark, ranks):
    stream = fse.compress(ranks, max_symbol=31).data
    assert np.array_equal(benchmark(fse.decompress, stream, N), ranks)


def test_best_parameter(benchmark, ranks):
    assert benchmark(fse.best_parameter, np.bincount(ranks))[1] > 0


# ---- The symbols of a photograph --------------------------------------------------------------


@pytest.fixture(scope="module")
def planes(codec, photographs):
    """Those that the shipped model makes of a picture of 512x512 pixels."""
    record = codec.forward(codec.encode(photographs["astronaut"]), Stage.SYMBOLS)
    return to_ranks(record)[: fse.MAX_TABLES]


@pytest.fixture(
    scope="module", params=[Context.CLASS, Context.ENERGY], ids=lambda c: c.name.lower()
)
def coding(request, planes):
    """Tables of one byte for every plane, or every energy of all planes; bank and layout."""
    context = request.param
    of_plane = np.broadcast_to(np.arange(len(planes), dtype=np.uint8)[:, None, None], planes.shape)
    which = fse.energy_contexts(planes) if context is Context.ENERGY else of_plane
    histograms = [np.bincount(planes[which == i]) for i in range(which.max() + 1)]
    best = [fse.best_parameter(h)[0] if len(h) else 0 for h in histograms]
    bank = fse.Bank(Table.from_parameter(parameter) for parameter in best)
    ids = np.arange(8, dtype=np.uint8)[None] if context is Context.ENERGY else of_plane[:, :1, 0]
    tables = np.ascontiguousarray(np.broadcast_to(ids, (len(planes), context.count(32))))
    return tables[:, None], bank, Layout(planes.shape[1:], context=context)


@pytest.mark.parametrize("threads", [1, 2])
def test_encoding_planes(benchmark, planes, coding, threads):
    payloads = benchmark(fse.encode_planes, planes, *coding, threads=threads)
    assert np.array_equal(fse.decode_planes(payloads, *coding), planes)


@pytest.mark.parametrize("threads", [1, 2])
def test_decoding_planes(benchmark, planes, coding, threads):
    payloads = fse.encode_planes(planes, *coding)
    assert np.array_equal(benchmark(fse.decode_planes, payloads, *coding, threads=threads), planes)
