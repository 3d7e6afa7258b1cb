"""All backends agree, and a device that is not there is said to be missing."""

import importlib.util
import io
import os

import numpy as np
import pytest
from PIL import Image
from programs import assert_fails, invoke, run
from records import planes

from nic.cli.common.options import networks
from nic.codec import Codec
from nic.format.records import Stage, read_records
from nic.models import native, zoo
from nic.picture import readers
from nic.transform import backends

needs_keras = pytest.mark.skipif(
    importlib.util.find_spec("keras") is None, reason="Keras is not installed"
)


@pytest.fixture(scope="module")
def keras_codec():
    return Codec(backend="keras", device="cpu")


@needs_keras
def test_both_backends_give_the_same_symbols_of_photographs(codec, keras_codec, photographs):
    """But for the order of float additions: one symbol in 10,000 may fall the other way."""
    different = total = 0
    for source in photographs.values():
        both = [planes(c.forward(c.encode(source), Stage.SYMBOLS)) for c in (codec, keras_codec)]
        different += np.count_nonzero(both[0] != both[1])
        total += both[0].size
    assert different < total / 10_000


@needs_keras
@pytest.mark.parametrize("quality", [1, 50, 100])
def test_both_backends_give_the_same_pixels_of_photographs(
    codec, keras_codec, photographs, quality
):
    """From the same file, to one step of 255."""
    for source in photographs.values():
        packed = codec.forward(codec.encode(source), Stage.PACKED, quality)
        both = [c.decode(packed).pixels.astype(int) for c in (codec, keras_codec)]
        assert np.abs(both[0] - both[1]).max() <= 1


@needs_keras
def test_both_backends_take_any_size(model):
    rng = np.random.default_rng(0)
    every = [backends.load(model, name, "cpu") for name in ("native", "keras")]
    for height, width in ((8, 8), (16, 264), (120, 40), (13, 101)):
        source = rng.integers(0, 256, (height, width, 3), np.uint8)
        native, latents = [b.analyse(source) for b in every]
        assert native.shape == (model.channels, -(-height // 8), -(-width // 8))
        np.testing.assert_allclose(latents, native, atol=2e-4)
        for grey, depth in ((False, 8), (True, 8), (False, 16)):
            native, pixels = [b.synthesise(latents, grey, depth).astype(int) for b in every]
            assert np.abs(pixels - native).max() <= (1 if depth == 8 else 9)


@pytest.mark.parametrize("tune", ["psnr", "ms-ssim"])
def test_a_very_wide_picture_has_the_bits_of_one_pass(tune, monkeypatch):
    """... and no pass is wider than it may be."""
    network = backends.load(zoo.by_choice(zoo.DEFAULT, tune)[0], "native")
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (29, 8 * 80 - 3, 3), np.uint8)
    latents = network.analyse(pixels)
    decoded = network.synthesise(latents, False, 8)
    widths, start = [], network._start

    def noted(name, width, *rest):
        widths.append(width)
        return start(name, width, *rest)

    monkeypatch.setattr(network, "_start", noted)
    monkeypatch.setattr(backends, "COLUMNS", 20)
    assert np.array_equal(network.analyse(pixels), latents)
    assert np.array_equal(network.synthesise(latents, False, 8), decoded)
    assert len(widths) == 8
    assert max(widths) <= 8 * (20 + 2 * max(network.reach))


@needs_keras
def test_the_programs_take_the_backend(stages):
    """Over the same packed file, the pictures are the same to one step."""
    both = []
    for name in ("native", "keras"):
        result = run("nic-decode", "--backend", name, "--device", "cpu", "--format", "ppm",
                     data=stages["packed"])  # fmt: skip
        assert (result.code, result.err) == (0, "")
        both.append(np.frombuffer(result.out, np.uint8).astype(int))
    assert np.abs(both[0] - both[1]).max() <= 1


def test_a_gpu_without_keras_is_refused_with_a_remedy(png, stages):
    options = ("--backend", "native", "--device", "gpu")
    assert_fails(invoke("encode", *options, png), 2, "runs on the CPU", "--backend keras")
    result = invoke("decode", *options, data=stages["packed"])
    assert_fails(result, 2, "runs on the CPU", "--backend keras")


@needs_keras
@pytest.mark.parametrize("choice", ["auto", "keras"])
def test_a_gpu_that_is_not_there_is_refused_with_what_is(stages, choice):
    result = invoke("decode", "--backend", choice, "--device", "gpu:63", data=stages["packed"])
    assert_fails(result, 2, "no device gpu:63", "this machine has")


@pytest.mark.parametrize("device", ["tpu", "gpu:", "gpu:x", "cpu:1", "0"])
def test_a_device_that_cannot_be_is_a_usage_error(png, device):
    result = invoke("encode", "--device", device, png)
    assert result.code == 2
    assert "use auto, cpu, gpu or gpu:N" in result.err


@needs_keras
@pytest.mark.parametrize("framework", ["tensorflow", "jax", "torch"])
def test_keras_decodes_on_every_framework(framework, codec, stages, tmp_path):
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    settings = {"env": {**os.environ, "KERAS_BACKEND": framework}}
    result = run("nic-decode", "--backend", "keras", data=stages["packed"], **settings)
    assert (result.code, result.err) == (0, "")
    (record,) = read_records(io.BytesIO(stages["packed"]))
    expected = codec.decode(record).pixels.astype(int)
    assert np.abs(readers.read(result.out).pixels - expected).max() <= 1


def test_without_keras_its_backend_says_how_to_get_it(stages, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "keras" else find(name)
    )
    result = invoke("decode", "--backend", "keras", data=stages["packed"])
    assert_fails(result, 4, "Keras is not installed", "pip install")


@pytest.mark.parametrize(("options", "threads"), [(("-T", "3"), 3), (("-T", "0"), 5), ((), 5)])
def test_threads_of_the_transforms(tmp_path, monkeypatch, photographs, options, threads):
    asked, start = [], native.Network.start

    def noted(network, *shape_and_threads):
        asked.append(shape_and_threads[-1])
        return start(network, *shape_and_threads)

    monkeypatch.setattr(native.Network, "start", noted)
    monkeypatch.setattr(backends, "cores", lambda: 5)
    monkeypatch.setattr(networks, "cores", lambda: 5)
    source = tmp_path / "a.png"
    Image.fromarray(photographs["coffee"][:160, :160]).save(source)
    packed = invoke("compress", *options, source, "-o", "-")
    assert (packed.code, packed.err) == (0, "")
    assert packed.out == invoke("compress", "-T", "1", source, "-o", "-").out
    assert invoke("decompress", *options, data=packed.out).code == 0
    assert asked == [threads, 1, threads]
