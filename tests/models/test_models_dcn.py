"""The reference codec: its exact shape, its quantizer and entropy, and that it can be trained."""

import importlib.util
import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from places import ROOT

keras = pytest.importorskip("keras", reason="Keras is not installed")

from nic.models import dcn  # noqa: E402
from nic.models.config import DcnConfig, load_config  # noqa: E402
from nic.models.training import dcn_start  # noqa: E402
from nic.models.training.data import load_pictures  # noqa: E402
from nic.models.training.loop import train as train_run  # noqa: E402
from nic.models.training.run import Run  # noqa: E402

BACKENDS = ["tensorflow", "jax", "torch"]
# The sums of the two transforms, as published.
PARAMETERS = {16: 2_408_349, 32: 2_533_293, 64: 2_783_181}
CODEBOOK = np.arange(-15, 17)

# Run on each backend: the gradients of small functions, both transforms on given weights, and
# the losses of some steps of training.
PROGRAM = """
import sys
import keras
import numpy as np
from nic.models import dcn

given = dict(np.load(sys.argv[1]))
backend = keras.backend.backend()

def gradient(function, *arrays):
    "d sum(weight * function(x)) / dx by the backend's own differentiation."
    weight = given["weight"].astype("float32")
    if backend == "tensorflow":
        import tensorflow as tf
        xs = [tf.constant(a, "float32") for a in arrays]
        with tf.GradientTape() as tape:
            tape.watch(xs)
            total = keras.ops.sum(weight[: len(arrays[0])] * function(*xs))
        return [np.array(g) for g in tape.gradient(total, xs)]
    if backend == "jax":
        import jax
        total = lambda *xs: keras.ops.sum(weight[: len(arrays[0])] * function(*xs))
        xs = [np.asarray(a, "float32") for a in arrays]
        return [np.array(g) for g in jax.grad(total, tuple(range(len(xs))))(*xs)]
    import torch
    xs = [torch.tensor(a, dtype=torch.float32, requires_grad=True) for a in arrays]
    keras.ops.sum(torch.tensor(weight[: len(arrays[0])]) * function(*xs)).backward()
    return [x.grad.numpy() for x in xs]

out = {}
for gamma in (5, 25):
    quantizer = dcn.SoftCodebook(float(gamma))
    out[f"symbols{gamma}"], weights = map(keras.ops.convert_to_numpy, quantizer(given["x"]))
    out[f"weights{gamma}"] = weights
    out[f"slope{gamma}"], = gradient(lambda x: quantizer(x)[0], given["x"])
    out[f"entropy{gamma}"] = keras.ops.convert_to_numpy(dcn.entropy(weights))
    out[f"entropy_slope{gamma}"], = gradient(lambda x: dcn.entropy(quantizer(x)[1]), given["x"])
clip = dcn.Clip()
out["clipped"] = keras.ops.convert_to_numpy(clip(given["x"].astype("float32")))
out["clip_slope"], = gradient(clip, given["x"])

model = dcn.SoftRateDistortion(16, gamma=5.0)
# At the published learning rate the start alone would outlast the test. JAX compiles one step
# faster than operation by operation.
model.compile(keras.optimizers.Adam(5e-4), loss=model.objective, jit_compile=backend == "jax")
picture = given["picture"]
for part in ("analysis", "synthesis"):
    for i, variable in enumerate(getattr(model, part).trainable_variables):
        variable.assign(given[f"{part}{i}"])
out["latents"] = model.analysis.predict_on_batch(picture)
out["decoded"] = model.synthesis.predict_on_batch(given["symbols"])
before = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
target = np.zeros((len(picture), 1), "float32")
out["losses"] = [float(model.train_on_batch(picture, target)) for _ in range(6)]
after = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
out["moved"] = [bool((a != b).any()) for a, b in zip(before, after, strict=True)]
np.savez(sys.argv[2], **out)
"""


def weights_of(x, gamma):
    """Normalised Student-t weights (..., 32), by the formula, in float64."""
    kernel = (1 + (gamma * (x[..., None] - CODEBOOK)) ** 2 / 50) ** (-51 / 2)
    return kernel / kernel.sum(axis=-1, keepdims=True)


def soft(x, gamma):
    return weights_of(x, gamma) @ CODEBOOK


def bits_of(x, gamma):
    histogram = weights_of(x, gamma).reshape(-1, len(CODEBOOK)).mean(axis=0)
    return -(histogram * np.log2(histogram)).sum()


def slopes(function, x, h=1e-6):
    """Central differences of a scalar ``function`` of x."""
    steps = h * np.eye(len(x))
    return np.array([(function(x + step) - function(x - step)) / (2 * h) for step in steps])


def randomised(network, rng):
    """New weights, no bias zero and the scalar not 1: what is lost on the way then shows."""
    values = []
    for variable in network.trainable_variables:
        value = keras.ops.convert_to_numpy(variable) + rng.normal(0, 0.02, variable.shape)
        values.append((0.7 * value if variable.shape == () else value).astype("float32"))
        variable.assign(values[-1])
    return values


@pytest.fixture(scope="module")
def given():
    """Latents inside and outside the codebook, pictures, symbols, and weights of both networks."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-15, 16, 40), [-40.3, -15.6, 16.8, 300.2], [0.49, -2.51]])
    networks = {"analysis": dcn.analysis(16), "synthesis": dcn.synthesis(16)}
    weights = {
        f"{name}{i}": value
        for name, network in networks.items()
        for i, value in enumerate(randomised(network, rng))
    }
    y, x_ = np.mgrid[:32, :48] / 48
    waves = [np.sin(6 * (a * x_ + b * y + c)) for a, b, c in rng.uniform(-2, 2, (6, 3))]
    picture = (0.5 + 0.45 * np.array(waves)).reshape(2, 3, 32, 48).transpose(0, 2, 3, 1)
    return {
        "x": x.astype("float32").astype("float64"),
        "weight": rng.uniform(0.5, 2, len(x)),
        "picture": picture.astype("float32"),
        "symbols": rng.integers(-3, 4, (2, 4, 6, 16)).astype("float32"),
        **weights,
    }


@pytest.fixture(scope="module")
def results(given, tmp_path_factory):
    """By backend, what PROGRAM found; each is run once, when first asked for."""
    folder = tmp_path_factory.mktemp("dcn")
    np.savez(folder / "given.npz", **given)
    (folder / "program.py").write_text(PROGRAM)
    found = {}

    def of(backend):
        if importlib.util.find_spec(backend) is None:
            pytest.skip(f"{backend} is not installed")
        if backend not in found:
            out = folder / f"{backend}.npz"
            command = [sys.executable, folder / "program.py", folder / "given.npz", out]
            # On a busy machine torch's threads cost more by waiting than they bring.
            settings = {
                "KERAS_BACKEND": backend,
                "CUDA_VISIBLE_DEVICES": "",
                "OMP_NUM_THREADS": "1",
            }
            environment = os.environ | settings
            done = subprocess.run(command, env=environment, cwd=folder, capture_output=True)
            assert done.returncode == 0, done.stderr.decode()
            found[backend] = dict(np.load(out))
        return found[backend]

    return of


@pytest.mark.parametrize("latents", PARAMETERS)
def test_the_networks_have_the_published_size(latents):
    analysis, synthesis = dcn.analysis(latents), dcn.synthesis(latents)
    assert analysis.count_params() + synthesis.count_params() == PARAMETERS[latents]
    assert analysis.output_shape == (None, None, None, latents)
    assert analysis.compute_output_shape((2, 40, 24, 3)) == (2, 5, 3, latents)
    assert synthesis.compute_output_shape((2, 5, 3, latents)) == (2, 40, 24, 3)


def test_the_networks_cost_what_is_published():
    """Multiply-accumulates of all convolutions per pixel, as they come out on real sizes."""
    for network, shape, published in (
        (dcn.analysis(32), (1, 32, 32, 3), 70_896),
        (dcn.synthesis(32), (1, 4, 4, 32), 77_760),
    ):
        convolutions = [layer for layer in network.layers if hasattr(layer, "kernel")]
        probe = keras.Model(network.input, [layer.output for layer in convolutions])
        planes = [out.shape[1] * out.shape[2] for out in probe(np.zeros(shape, "float32"))]
        kernels = [np.prod(layer.kernel.shape) for layer in convolutions]
        assert np.dot(kernels, planes) / 32**2 == published


def leaky(x):
    return np.where(x < 0, 0.2 * x, x)


def depth_to_space(x):
    """(B, h, w, 4 C) -> (B, 2h, 2w, C): row, column, then channel in the last axis."""
    b, h, w, c = x.shape
    x = x.reshape(b, h, w, 2, 2, c // 4).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, 2 * h, 2 * w, c // 4)


def convolutions(network, given):
    """The convolutions of a transform with the given weights, in order, NumPy to NumPy."""
    for i, variable in enumerate(network.trainable_variables):
        variable.assign(given[f"{network.name}{i}"])
    layers = [layer for layer in network.layers if hasattr(layer, "kernel")]
    return [lambda x, layer=layer: keras.ops.convert_to_numpy(layer(x)) for layer in layers]


def test_the_analysis_is_wired_as_the_reference(given):
    """Only the branch of the first block passes a leaky ReLU before it; no skip does."""
    network = dcn.analysis(16)
    half, quarter, *blocks, last = convolutions(network, given)
    x = quarter(leaky(half(2 * (given["picture"] - 0.5))))
    for i in range(3):
        first, second = blocks[2 * i : 2 * i + 2]
        x = x + second(leaky(first(leaky(x) if i == 0 else x)))
    x = last(x) * given[f"analysis{len(network.trainable_variables) - 1}"]
    found = keras.ops.convert_to_numpy(network(given["picture"]))
    np.testing.assert_allclose(found, x, atol=1e-4)


def test_the_synthesis_is_wired_as_the_reference(given):
    network = dcn.synthesis(16)
    embed, *blocks, half, pixels = convolutions(network, given)
    x = depth_to_space(embed(given["symbols"]))
    for i in range(3):
        first, second = blocks[2 * i : 2 * i + 2]
        x = x + second(leaky(first(x)))
    x = depth_to_space(pixels(depth_to_space(leaky(half(x)))))
    inside = (np.abs(x) < 1).mean()
    assert 0.1 < inside < 0.99  # the clip has something to do, and something to leave
    found = keras.ops.convert_to_numpy(network(given["symbols"]))
    np.testing.assert_allclose(found, np.clip((x + 1) / 2, 0, 1), atol=1e-4)


def test_the_scalar_starts_at_1():
    scale = dcn.analysis(16).get_layer("scale").scale
    assert (scale.shape, float(scale), scale.trainable) == ((), 1.0, True)


@pytest.mark.parametrize("gamma", [5, 25])
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_quantizer_is_hard_forward_and_soft_backward(results, given, backend, gamma):
    found, x = results(backend), given["x"]
    np.testing.assert_array_equal(found[f"symbols{gamma}"], np.clip(np.round(x), -15, 16))
    # Logarithms of weights go down to -300, where float32 resolves 3e-5.
    weights = weights_of(x, gamma)
    np.testing.assert_allclose(found[f"weights{gamma}"], weights, rtol=1e-4, atol=1e-30)
    expected = given["weight"] * (soft(x + 1e-6, gamma) - soft(x - 1e-6, gamma)) / 2e-6
    scale = np.abs(expected).max()
    assert scale > 1
    np.testing.assert_allclose(found[f"slope{gamma}"], expected, rtol=1e-3, atol=1e-4 * scale)


@pytest.mark.parametrize("gamma", [5, 25])
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_entropy_is_that_of_the_soft_histogram(results, given, backend, gamma):
    found, x = results(backend), given["x"]
    assert float(found[f"entropy{gamma}"]) == pytest.approx(bits_of(x, gamma), rel=1e-5)
    expected = given["weight"].sum() * slopes(lambda x: bits_of(x, gamma), x)
    scale = np.abs(expected).max()
    slope = found[f"entropy_slope{gamma}"]
    np.testing.assert_allclose(slope, expected, rtol=1e-2, atol=1e-3 * scale)


def test_the_entropy_of_known_histograms():
    """0 bits for one codeword, also where all others have a weight of 0; 5 for 32 alike."""
    one = np.eye(32, dtype="float32")[[7, 7, 7]]
    assert float(dcn.entropy(one)) == pytest.approx(0, abs=1e-6)
    assert float(dcn.entropy(np.eye(32, dtype="float32"))) == pytest.approx(5, rel=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_clip_lets_the_gradient_through(results, given, backend):
    found = results(backend)
    np.testing.assert_array_equal(found["clipped"], np.clip(given["x"], 0, 1).astype("float32"))
    assert (found["clipped"] != given["x"]).mean() > 0.9
    np.testing.assert_allclose(found["clip_slope"], given["weight"], rtol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_computes_the_same_transforms(results, given, backend):
    """As the one that these tests run on; padding of strided convolutions differs by default."""
    analysis, synthesis = dcn.analysis(16), dcn.synthesis(16)
    for name, network in (("analysis", analysis), ("synthesis", synthesis)):
        for i, variable in enumerate(network.trainable_variables):
            variable.assign(given[f"{name}{i}"])
    latents = keras.ops.convert_to_numpy(analysis(given["picture"]))
    decoded = keras.ops.convert_to_numpy(synthesis(given["symbols"]))
    assert latents.std() > 0.1
    assert decoded.std() > 0.05
    np.testing.assert_allclose(results(backend)["latents"], latents, atol=1e-4)
    np.testing.assert_allclose(results(backend)["decoded"], decoded, atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_training_lowers_the_loss_and_moves_every_weight(results, backend):
    """The scalar among them: through the clip, the synthesis and the quantizer."""
    found = results(backend)
    assert found["losses"][-1] < 0.9 * found["losses"][0]
    assert found["moved"].all()


def test_the_objective_is_the_published_loss():
    """SSE / 2 + 250 H for 50 patches of 128x128, and the same for fewer pixels of the same kind."""
    model = dcn.SoftRateDistortion(32)
    sse = np.array([900.0, 1500.0])  # of two patches of 128x128x3
    bits = 1.7
    row = np.stack([np.full(2, bits * 32 / 64), sse / (128 * 128 * 3)], axis=-1).astype("float32")
    for repeats in (1, 25):
        batch = np.tile(row, (repeats, 1))
        expected = 25 * sse.sum() / 2 + 250 * bits  # of a batch of 50
        assert float(model.objective(None, batch)) == pytest.approx(expected, rel=1e-5)


def test_rate_and_distortion_of_a_batch(given):
    """Against the parts: bits per pixel of one histogram for all, errors of each picture."""
    model = dcn.SoftRateDistortion(16, gamma=5.0)
    latents = keras.ops.convert_to_numpy(model.analysis(given["picture"])).astype("float64")
    found = keras.ops.convert_to_numpy(model(given["picture"]))
    assert found.shape == (2, 2)
    np.testing.assert_allclose(found[:, 0], bits_of(latents, 5) * 16 / 64, rtol=1e-4)
    symbols = np.clip(np.round(latents), -15, 16).astype("float32")
    error = keras.ops.convert_to_numpy(model.synthesis(symbols)) - given["picture"]
    np.testing.assert_allclose(found[:, 1], (error**2).mean(axis=(1, 2, 3)), rtol=1e-4)


@pytest.mark.parametrize("name", ["dcn-4k", "dcn-8k", "dcn-16k"])
def test_the_configurations_are_those_of_the_reference(name):
    config = load_config(ROOT / "models" / "configs" / f"{name}.toml")
    assert isinstance(config, DcnConfig)
    assert config.transform.latents * 16 * 16 == int(name[4:-1]) * 1024
    assert config.quantizer.gamma == dcn.GAMMA


@pytest.fixture(scope="module")
def started(photographs):
    """A model of 32 channels that starts as the DCT, and a photograph (1, H, W, 3)."""
    picture = photographs["coffee"][:256, :256]
    tiles = picture.reshape(4, 64, 4, 64, 3).swapaxes(1, 2).reshape(16, 64, 64, 3)
    model = dcn.SoftRateDistortion(32)
    dcn_start.start_as_dct(model, tiles)
    return model, (picture / 255).astype("float32")[None]


def decoded_psnr(model, picture):
    symbols = np.clip(
        np.rint(keras.ops.convert_to_numpy(model.analysis(picture))), *CODEBOOK[[0, -1]]
    )
    found = keras.ops.convert_to_numpy(model.synthesis(symbols))
    return -10 * np.log10(((found - picture) ** 2).mean()), symbols


def test_it_starts_as_a_dct(started):
    """Untrained, it is a codec; its DC is not clipped even where all is white or black."""
    model, picture = started
    psnr, symbols = decoded_psnr(model, picture)
    assert psnr > 28
    assert np.count_nonzero(symbols[..., 3:]) > symbols[..., 3:].size / 10
    for level in (0, 1):
        flat = np.full((1, 64, 64, 3), level, "float32")
        psnr, symbols = decoded_psnr(model, flat)
        assert psnr > 25
        assert np.abs(symbols[:, 2:-2, 2:-2, 0]).min() >= 15


def test_fewer_channels_start_from_the_leading_ones(started):
    model, picture = started
    other = dcn.SoftRateDistortion(16)
    other(picture)
    other.start_from(model)
    latents = keras.ops.convert_to_numpy(model.analysis(picture))
    np.testing.assert_allclose(other.analysis(picture), latents[..., :16], atol=1e-4)
    latents[..., 16:] = 0
    expected = model.synthesis(latents)
    np.testing.assert_allclose(other.synthesis(latents[..., :16]), expected, atol=1e-4)


def test_the_training_script_trains_it_and_goes_on(given, tmp_path):
    """With a rate that is halved by epochs: 2 pictures in batches of 2 are one step each."""
    config = ROOT / "models" / "configs" / "dcn-4k.toml"
    short = (
        config.read_text().replace("batch = 8", "batch = 2").replace("patch = 128", "patch = 16")
    )
    short = short.replace("warm_up = 200\ndecay_from = 0.2", "halve_every = 2")
    short = short.replace("learning_rate = 3e-4", "learning_rate = 1e-3")
    (tmp_path / "short.toml").write_text(short)
    for i, picture in enumerate(given["picture"]):
        Image.fromarray((255 * picture).astype("uint8")).save(tmp_path / f"{i}.png")
    (tmp_path / "run").mkdir()
    for steps in (3, 5):
        run = Run(load_config(tmp_path / "short.toml"), load_pictures(tmp_path, 16))
        if steps == 5:
            run.load(tmp_path / "run" / "checkpoint.npz")
        train_run(run, tmp_path / "run", math.inf, steps, report=1, save=1)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    reports = [json.loads(line) for line in lines]
    assert [report["step"] for report in reports] == [1, 2, 3, 4, 5]
    rates = [report["lr"] for report in reports]
    assert rates == pytest.approx([1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4])
    for report in reports:  # one rate for all pictures: the loss follows from the two metrics
        loss = dcn.BATCH_VALUES / 2 * report["mse"] / 255**2 + 250 * report["bpp"] * 64 / 16
        assert report["loss"] == pytest.approx(loss, rel=1e-4)


@pytest.mark.parametrize("latents", [16, 32, 64])
def test_the_loss_is_a_lagrangian_of_rate_and_distortion(latents):
    model = dcn.SoftRateDistortion(latents)
    costs = []
    for bpp, mse in ((0.4, 0.001), (0.7, 0.0004)):
        found = float(model.objective(None, keras.ops.convert_to_tensor([[bpp, mse]])))
        costs.append(found / (dcn.tradeoff(latents) * 255**2 * mse + bpp))
    assert costs[0] == pytest.approx(costs[1], rel=1e-4)


def test_macs_are_those_of_the_paper():
    assert dcn.macs_per_pixel(dcn.analysis(32)) == 70_896
    assert dcn.macs_per_pixel(dcn.synthesis(32)) == 77_760


def test_a_trained_one_is_a_model_like_any_other(tmp_path, monkeypatch):
    """Exported and installed, it codes on both backends, in tiles as in one piece."""
    from nic.codec import Codec
    from nic.format.records import Stage
    from nic.models import zoo
    from nic.models.training.export import export_reference
    from nic.transform import tiles

    network = dcn.SoftRateDistortion(16)
    export_reference(network, tmp_path / "zoo/dcn-4k-1", "dcn-4k", 1)
    monkeypatch.setenv(zoo.PATH_VARIABLE, str(tmp_path / "zoo"))
    assert "dcn-4k" not in zoo.untrained()
    model = zoo.by_name("dcn-4k")
    assert (model.channels, model.has_prior, model.predicted) == (16, False, ())
    source = np.random.default_rng(2).integers(0, 256, (219, 227, 3), np.uint8)
    pictures = []
    for backend, tile in (("native", 0), ("keras", 1920), ("keras", 128)):
        monkeypatch.setattr(tiles, "TILE", tile)
        codec = Codec(model="dcn-4k", backend=backend, device="cpu")
        packed = codec.forward(codec.encode(source), Stage.PACKED)
        pictures.append(codec.decode(packed).pixels.astype(int))
    assert pictures[0].shape == source.shape
    for other in pictures[1:]:
        assert np.abs(pictures[0] - other).max() <= 1
