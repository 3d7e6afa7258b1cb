"""How long each stage takes on one photograph: ``pytest tests/bench/test_benchmarks.py
--benchmark-enable``. Without the option each runs once, as a test that it runs at all."""

import io

import numpy as np
import pytest
from records import from_bytes, to_bytes

from nic.bench.speed import stages
from nic.format import pack
from nic.format.records import Stage, read_records
from nic.picture import readers, writers
from nic.quantize import rounding
from nic.transform import backends, encoding


@pytest.fixture(scope="module")
def source(photographs):
    """A photograph of 512x512 pixels."""
    return photographs["astronaut"]


@pytest.fixture(scope="module")
def records(codec, source):
    """The photograph at every stage."""
    made = {Stage.LATENTS: codec.encode(source)}
    for stage in (Stage.SYMBOLS, Stage.CODED, Stage.PACKED):
        made[stage] = codec.forward(made[Stage(stage - 1)], stage)
    return made


@pytest.fixture(scope="module")
def networks(model):
    return backends.load(model)


def test_reading_a_picture(benchmark, source):
    png = writers.write(source, "png")
    assert np.array_equal(benchmark(readers.read, png).pixels, source)


def test_analysis(benchmark, networks, source, model):
    assert benchmark(networks.analyse, source).shape == (model.channels, 64, 64)


def test_synthesis(benchmark, networks, records, model):
    latents = np.frombuffer(records[Stage.LATENTS].data, "<f4").reshape(model.channels, 64, 64)
    assert benchmark(networks.synthesise, latents, False, 8).shape == (512, 512, 3)


@pytest.mark.parametrize("target", list(Stage)[1:], ids=lambda s: s.name.lower())
def test_forward(benchmark, codec, records, target):
    """Quantizing, entropy encoding and packing, each alone."""
    record = benchmark(codec.forward, records[Stage(target - 1)], target)
    assert record.stage == target


def test_entropy_decoding(benchmark, codec, records):
    assert benchmark(codec.to_symbols, records[Stage.CODED]).stage == Stage.SYMBOLS


def test_unpacking(benchmark, records):
    assert benchmark(pack.unpack, records[Stage.PACKED]).stage == Stage.CODED


def test_dequantizing(benchmark, records, model):
    record = benchmark(rounding.dequantize, records[Stage.SYMBOLS], model)
    assert record.stage == Stage.LATENTS


def test_latents_to_a_picture(benchmark, records, networks, source):
    """Synthesis with what surrounds the network: clipping, rounding and cropping."""
    pixels = benchmark(encoding.decode, records[Stage.LATENTS], networks)
    assert pixels.shape == source.shape


@pytest.mark.parametrize("name", ["ppm", "png"])
def test_writing_a_picture(benchmark, source, name):
    assert np.array_equal(readers.read(benchmark(writers.write, source, name)).pixels, source)


@pytest.mark.parametrize("stage", [*stages.FORWARD, *stages.BACKWARD])
def test_what_nic_bench_times(benchmark, source, model, networks, stage):
    """The calls of ``nic bench speed``, whose sum is the codec."""
    calls = stages.stage_calls(source, model, networks, model.default_quality)
    assert list(calls) == [*stages.FORWARD, *stages.BACKWARD]
    assert benchmark(calls[stage]) is not None


def test_writing_and_reading_a_packed_file(benchmark, records):
    record = benchmark(lambda: from_bytes(to_bytes(records[Stage.PACKED])))
    assert record.stage == Stage.PACKED


def test_from_picture_to_file(benchmark, codec, source):
    """Everything but starting and reading the picture."""
    packed = benchmark(lambda: to_bytes(codec.forward(codec.encode(source), Stage.PACKED)))
    assert len(packed) < source.size / 4


@pytest.mark.parametrize("name", ["ppm", "png"])
def test_from_file_to_picture(benchmark, codec, records, name):
    data = to_bytes(records[Stage.PACKED])

    def decode():
        (record,) = read_records(io.BytesIO(data))
        return writers.write(codec.decode(record), name)

    assert len(benchmark(decode)) > 10_000
