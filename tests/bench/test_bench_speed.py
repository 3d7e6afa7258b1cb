"""Timing: samples, child processes, every stage, and what is not there."""

import sys
import time

import numpy as np
import pytest
from PIL import Image

from nic.bench.codecs import nic_coder
from nic.bench.report import tables
from nic.bench.speed import material, programs, reference, stages, times, timing
from nic.bench.speed.published import PUBLISHED
from nic.errors import CorruptError, ModelError, NicError, UsageError
from nic.models import keras_backend
from nic.transform import backends

NATIVE = (times.Place("native", "cpu"),)
SMALL = ((64, 48), (40, 56))
CALLS = (*stages.NETWORK, *stages.CODEC, *stages.FORWARD, *stages.BACKWARD)


@pytest.fixture(scope="module")
def report():
    """Everything on small pictures, but the reference network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(times, "STARTS", 2)
        patch.setattr(times, "RUNS", 2)
        return times.measure(
            times.Setup(sizes=SMALL, places=NATIVE, repeats=3, with_reference=False)
        )


@pytest.fixture
def _without_programs(monkeypatch):
    """Starting them all takes many seconds."""
    monkeypatch.setattr(programs, "start_up", lambda folder, repeats: [])
    monkeypatch.setattr(programs, "whole", lambda *arguments: [])


# -- timing -----------------------------------------------------------------------------------


def test_first_call_is_not_counted():
    waits = iter([0.2, 0.01, 0.01, 0.01])
    found = timing.Timing.of(timing.sample(lambda: time.sleep(next(waits)), 3))
    assert found.repeats == 3
    assert 0.01 <= found.low <= found.median <= found.high < 0.15


def test_median_and_quartiles():
    assert timing.Timing.of([4.0, 1.0, 2.0, 3.0, 100.0]) == timing.Timing(3.0, 2.0, 4.0, 5)


def test_slow_calls_are_repeated_less(monkeypatch):
    monkeypatch.setattr(timing, "PATIENCE", 0.0)
    assert len(timing.sample(lambda: None, 50)) == timing.LEAST


def test_calls_to_be_compared_take_turns():
    done = []
    seconds = timing.sample_in_turn([lambda: done.append("a"), lambda: done.append("b")], 3)
    assert "".join(done) == "ab" * 4
    assert [len(found) for found in seconds] == [3, 3]


def test_memory_and_time_of_a_program_are_its_own(tmp_path):
    """... although this process holds more than the small one does."""
    held = np.ones(30_000_000)  # 240 MB
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"abc")
    code = "import sys, time; x = bytearray({}); time.sleep(.1); print(sys.stdin.read(), len(x))"
    command = [sys.executable, "-c"]
    small = timing.run_program([*command, code.format(1)], source, target)
    assert target.read_text() == "abc 1\n"
    large = timing.run_program([*command, code.format("10 ** 8")], source, target)
    assert 3e6 < small.peak < 60e6 < held.nbytes
    assert 100e6 < large.peak < small.peak + 130e6
    assert 0.1 < small.seconds < 10


def test_a_failing_program_is_an_error(tmp_path):
    (tmp_path / "in").touch()
    code = "import sys; sys.exit('no such luck')"
    with pytest.raises(NicError, match="no such luck"):
        timing.run_program([sys.executable, "-c", code], tmp_path / "in", tmp_path / "out")


# -- pictures ---------------------------------------------------------------------------------


def test_cut_takes_the_middle_and_mirrors_what_lacks():
    pixels = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    assert np.array_equal(material.cut(pixels, 4, 2), pixels[2:4, 2:6])
    assert np.array_equal(material.cut(pixels, 8, 6), pixels)
    large = material.cut(pixels, 20, 30)
    assert large.shape == (30, 20, 3)
    assert np.array_equal(large[12:18, 6:14], pixels)
    assert np.array_equal(large[12:18, 5], pixels[:, 0])


def test_made_picture_is_always_the_same_and_costs_what_photographs_do(photographs):
    pixels = material.made(512, 512)
    assert np.array_equal(pixels, material.made(512, 512))
    assert material.made(50, 30).shape == (30, 50, 3)
    coder = nic_coder()
    sizes = [len(coder.encode(x, 50)) for x in (pixels, photographs["astronaut"])]
    assert 0.5 < sizes[0] / sizes[1] < 2


# -- a whole run ------------------------------------------------------------------------------


def test_every_stage_is_timed_at_every_size(report):
    assert report["complete"]
    found = [(row["width"], row["height"], row["stage"]) for row in report["rows"]]
    both = (*CALLS, *tables.PROGRAMS)
    assert found == [(*size, stage) for size in SMALL for stage in both]
    for row in report["rows"]:
        assert (row["backend"], row["device"]) == ("native", "cpu")
        assert 0 < row["low"] <= row["median"] <= row["high"] < 60


def test_every_installed_program_is_started(report):
    started = {row["program"].split()[0] for row in report["programs"]}
    assert started == set(programs.installed())
    assert all(1e6 < row["peak"] < 2e9 for row in report["programs"])


def test_stages_add_up_to_the_codec(model):
    """The parts that are timed are all that the codec does."""

    pixels = material.made(64, 48)
    network, coder = backends.load(model), nic_coder()
    calls = stages.stage_calls(pixels, model, network, 50)
    assert calls["pack"]() == coder.encode(pixels, 50)
    assert calls["unpack"]().data == calls["entropy"]().data
    assert calls["entropy decoding"]().data == calls["quantize"]().data
    assert np.array_equal(calls["read"]().pixels, pixels)
    assert calls["write"]().startswith(b"\x89PNG")
    whole = stages.codec_calls(pixels, coder, 50)
    assert whole["codec encode"]() == calls["pack"]()
    assert whole["codec decode"]().shape == calls["synthesis"]().shape == pixels.shape
    alone = stages.network_calls(pixels, network)
    assert alone["network encode"]().shape == (model.channels, 6, 8)
    assert alone["network decode"]().shape == (48, 64, 3)


@pytest.mark.usefixtures("_without_programs")
def test_given_pictures_are_used(tmp_path, photographs):
    path = tmp_path / "cat.png"
    Image.fromarray(photographs["chelsea"][..., 0]).save(path)  # a grey one
    setup = times.Setup(
        sizes=((32, 32),), places=NATIVE, repeats=3, with_reference=False, paths=(path, path)
    )
    found = times.measure(setup)
    assert found["pictures"] == ["cat.png", "cat.png"]
    assert found["rows"][0]["repeats"] == 6


@pytest.mark.usefixtures("_without_programs")
def test_progress_is_told_at_most_once_per_step():
    told = []
    setup = times.Setup(sizes=SMALL[:1], places=NATIVE, repeats=3, with_reference=False)
    times.measure(setup, told.append)
    assert len(told) == times.steps(setup)


@pytest.mark.usefixtures("_without_programs")
def test_an_interrupt_keeps_what_is_done(monkeypatch):
    def progress(what):
        if what.endswith("quantize"):
            raise KeyboardInterrupt

    setup = times.Setup(sizes=SMALL[:1], places=NATIVE, repeats=3, with_reference=False)
    found = times.measure(setup, progress)
    assert not found["complete"]
    assert [row["stage"] for row in found["rows"]] == list(CALLS[: CALLS.index("quantize")])
    assert tables.notes(found)[0].startswith("Interrupted")


@pytest.mark.usefixtures("_without_programs")
def test_a_place_that_is_not_there_is_a_line(monkeypatch):
    def load(model, backend, *arguments):
        if backend == "keras":
            raise UsageError("no device gpu; this machine has: cpu:0")
        return loaded(model, backend, *arguments)

    loaded = times.backends.load
    monkeypatch.setattr(times.backends, "load", load)
    found = times.measure(times.Setup(sizes=SMALL[:1], repeats=3, with_reference=False))
    assert found["complete"]
    assert found["missing"] == [
        "keras on cpu: no device gpu; this machine has: cpu:0",
        "keras on gpu: no device gpu; this machine has: cpu:0",
    ]
    with pytest.raises(UsageError):  # asked for, it must be there
        times.measure(times.Setup(sizes=SMALL[:1], places=(times.Place("keras", "gpu"),)))


def test_a_picture_that_is_none_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(CorruptError, match=r"a\.png"):
        times.measure(times.Setup(places=NATIVE, paths=(tmp_path / "a.png",)))


def test_an_interrupt_keeps_the_programs_that_were_started(monkeypatch):
    def start_up(folder, repeats):
        yield {"program": "nic"}
        raise KeyboardInterrupt

    monkeypatch.setattr(programs, "start_up", start_up)
    found = times.measure(times.Setup(places=NATIVE))
    assert not found["complete"]
    assert found["programs"] == [{"program": "nic"}]


# -- the reference network --------------------------------------------------------------------


def test_without_keras_the_reference_is_a_line(monkeypatch, model):
    monkeypatch.setattr(keras_backend.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"dcn.*on keras: .*pip install"):
        reference.load("keras", "cpu", model)


def test_the_reference_network_runs_on_keras(model):
    pytest.importorskip("keras", reason="Keras is not installed")
    network = reference.load("keras", "cpu", model)
    latents = network.analyse(np.zeros((16, 24, 3), np.uint8))
    assert latents.shape == (reference.CHANNELS, 2, 3)
    assert network.synthesise(latents, False, 8).shape == (16, 24, 3)


def test_the_reference_network_runs_natively(model):
    network = reference.load("native", "cpu", model)
    latents = network.analyse(np.zeros((16, 24, 3), np.uint8))
    assert latents.shape == (reference.CHANNELS, 2, 3)
    assert network.synthesise(latents, False, 8).shape == (16, 24, 3)


# -- tables -----------------------------------------------------------------------------------


def row(title, stage, median):
    place = {"backend": "native", "device": "cpu", "width": 512, "height": 512}
    times = {"median": median, "low": median, "high": median, "repeats": 3}
    return {"codec": title, "title": title, **place, "stage": stage, **times}


def test_ratio_to_the_reference_is_that_of_the_measured_medians(report):
    names = ("nic x-1", 0.01, 0.02), (reference.NAME, 0.18, 0.5)
    rows = [
        row(title, stage, median)
        for title, *medians in names
        for stage, median in zip(stages.NETWORK, medians, strict=True)
    ]
    table = tables.tables({**report, "rows": rows})[0]
    (ratios,) = [line for line in table.rows if line[0] == f"{reference.NAME} / nic x-1"]
    assert ratios[3:5] == ["18.0 times", "25.0 times"]


def test_published_figures_are_marked_and_have_their_hardware(report):
    table = tables.tables(report)[0]
    marked = [line for line in table.rows if "published" in line[0]]
    assert len(marked) == len(PUBLISHED)
    first = next(line for line in marked if line[1] == "i7-7700 CPU" and line[2] == "1920x1080")
    assert first[3:] == ["1.81", "2.77", "1.88", "2.79"]
    assert any(line[0].startswith("imgcomp") and line[5:] == ["350", "200"] for line in marked)
