"""Training: it lowers the loss on every backend, resumes exactly, and exports what it trained."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image
from places import ROOT

keras = pytest.importorskip("keras", reason="Keras is not installed")

from nic.models import zoo  # noqa: E402
from nic.models.config import ModelConfig, TrainingConfig, load_config  # noqa: E402
from nic.models.prediction import median_edge as keras_median_edge  # noqa: E402
from nic.models.training import rate_distortion  # noqa: E402
from nic.models.training.data import load_pictures  # noqa: E402
from nic.models.training.loop import learning_rate, train  # noqa: E402
from nic.models.training.run import Run, averaged, checkpoint_state, save_averaged  # noqa: E402
from nic.quantize import prediction  # noqa: E402
from nic.types import CODEBOOK  # noqa: E402

SCRIPTS = ROOT / "scripts"
TINY = """
name = "tiny"
[transform]
latents = 12
width = 12
analysis_blocks = 1
synthesis_blocks = 1
half_width = 12
[rate]
lambdas = [0.0018, 0.013, 0.05]
classes = 4
[training]
batch = 4
patch = 32
learning_rate = 2e-3
final_learning_rate = 1e-3
decay_from = 0.999
prefixes = [4, 8]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny configuration, and a folder of synthetic pictures."""
    root = tmp_path_factory.mktemp("training")
    (root / "tiny.toml").write_text(TINY)
    (root / "pictures").mkdir()
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :72]
    for i in range(6):
        waves = [np.sin(x * a + y * b + c) for a, b, c in rng.uniform(-0.4, 0.4, (3, 3))]
        noise = rng.normal(0, 4, (64, 72, 3))
        picture = np.clip(128 + 90 * np.stack(waves, -1) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(root / "pictures" / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def start(folder):
    """A function that makes a fresh run of the tiny configuration."""
    pictures = load_pictures(folder / "pictures", 32)
    return lambda: Run(load_config(folder / "tiny.toml"), pictures)


def weights(run):
    variables = (*run.model.variables, *run.optimizer.variables)
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_the_loss_falls_on_every_installed_backend(folder, tmp_path, backend, precision):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    command = [sys.executable, SCRIPTS / "train.py", "--config", folder / "tiny.toml",
               "--data", folder / "pictures", "--out", tmp_path, "--steps", "100",
               "--report", "50", "--precision", precision]  # fmt: skip
    environment = os.environ | {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run(command, env=environment, capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
    reports = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [report["step"] for report in reports] == [50, 100]
    assert reports[-1]["loss"] < reports[0]["loss"]
    assert (tmp_path / "checkpoint.npz").exists()


# SOAP changes its bases every 20 steps.
@pytest.mark.parametrize(("optimizer", "steps", "places"), [("adam", 4, 1e-6), ("soap", 12, 1e-4)])
def test_a_resumed_run_equals_one_without_a_break(folder, tmp_path, optimizer, steps, places):
    """Weights, averages, optimizer state and random numbers: to the last bit but rounding."""
    config = load_config(folder / "tiny.toml")
    config = replace(config, training=replace(config.training, optimizer=optimizer))
    pictures = load_pictures(folder / "pictures", 32)
    whole, resumed = Run(config, pictures), Run(config, pictures)
    assert type(whole.optimizer).__name__.lower() == optimizer
    train(whole, tmp_path, math.inf, steps, report=99, save=1)
    resumed.load(tmp_path / "checkpoint.npz")
    assert resumed.step == steps
    half = weights(whole)
    train(whole, tmp_path, math.inf, 2 * steps, report=99, save=1)
    train(resumed, tmp_path, math.inf, 2 * steps, report=99, save=1)
    for a, b in zip(weights(whole), weights(resumed), strict=True):
        np.testing.assert_allclose(a, b, rtol=places, atol=places / 10)
    assert any((a != b).any() for a, b in zip(half, weights(resumed), strict=True))


def test_averaged_weights_are_enough_to_start_from(start, tmp_path):
    run = start()
    for _ in range(4):  # without a compiled step, which takes most of the time
        run.optimizer.apply([keras.ops.ones_like(v) for v in run.model.trainable_variables])
    run.save(tmp_path / "checkpoint.npz")
    model = averaged(tmp_path / "checkpoint.npz")
    save_averaged(model, run.config, tmp_path / "kept.npz")
    again = averaged(tmp_path / "kept.npz")
    for a, b in zip(model.variables, again.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    sizes = [(tmp_path / name).stat().st_size for name in ("kept.npz", "checkpoint.npz")]
    assert sizes[0] < sizes[1] / 2
    assert checkpoint_state(tmp_path / "kept.npz") == {
        "config": json.loads(json.dumps(asdict(run.config)))
    }


# SOAP changes its bases every 20 steps.
@pytest.mark.parametrize(("optimizer", "at_once"), [("adam", 4), ("soap", 22)])
def test_compiled_steps_equal_those_of_keras(folder, tmp_path, optimizer, at_once):
    """Some steps as one program of JAX's, and two more one by one, against as many by Keras.

    SOAP's are held to programs of one step each: by Keras, an operation at a time, they take
    minutes.
    """
    pytest.importorskip("jax", reason="JAX is not installed")
    child = f"""
from dataclasses import replace
from pathlib import Path
import numpy as np
from nic.models.config import load_config
from nic.models.training.data import load_pictures
from nic.models.training.loop import train
from nic.models.training.run import Run

pictures = load_pictures(Path({str(folder / "pictures")!r}), 32)
config = load_config(Path({str(folder / "tiny.toml")!r}))
config = replace(config, training=replace(config.training, optimizer={optimizer!r}))
results = []
for name in ("compiled", "kept"):
    run = Run(config, pictures)
    run.at_once = 1 if name == "kept" else {at_once}
    if name == "kept" and {optimizer!r} == "adam":
        run.advance = run._one_by_one
        run.model.jit_compile = True  # operation by operation it takes longer
    out = Path({str(tmp_path)!r}) / name
    out.mkdir()
    train(run, out, np.inf, {at_once} + 2, report=2, save=1)
    results.append([np.array(v) for v in run._variables()])
for a, b in zip(*results, strict=True):
    np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)
"""
    environment = os.environ | {"KERAS_BACKEND": "jax", "CUDA_VISIBLE_DEVICES": ""}
    # Elsewhere, as ./nic of a checkout is not the package.
    result = subprocess.run(
        [sys.executable, "-c", child], env=environment, capture_output=True, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr.decode()
    reports = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("compiled", "kept")]
    losses = [[json.loads(x)["loss"] for x in text.splitlines()] for text in reports]
    assert losses[0][-1] == pytest.approx(losses[1][-1], rel=1e-4)


def test_the_same_seed_starts_the_same_run(start):
    for a, b in zip(weights(start()), weights(start()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_learning_rate_is_constant_then_a_half_cosine():
    config = ModelConfig("x", *(None, None), TrainingConfig(decay_from=0.5)).training
    at = [learning_rate(config, p) for p in (0, 0.25, 0.5, 0.75, 1, 1.5)]
    high, low = config.learning_rate, config.final_learning_rate
    assert at == pytest.approx([high, high, high, (high + low) / 2, low, low])


def test_the_learning_rate_rises_at_first():
    config = TrainingConfig(learning_rate=1.0, decay_from=0.5, warm_up=4)
    at = [learning_rate(config, 0, step=step) for step in (0, 1, 3, 4)]
    assert at == pytest.approx([0.25, 0.5, 1, 1])


def test_training_predicts_as_the_quantizer_does():
    """The float detector on integers, against the closed loop of the codec without overflow."""
    planes = np.random.default_rng(1).integers(-5, 6, (3, 9, 7), np.int32)
    found = np.array(keras_median_edge(planes.transpose(1, 2, 0)[None].astype("float32")))[0]
    symbols = prediction.residuals(planes, CODEBOOK)
    np.testing.assert_array_equal(planes - found.transpose(2, 0, 1), symbols)


def test_patches_are_crops_of_the_pictures_in_all_four_positions():
    rng = np.random.default_rng(3)
    pictures = [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in ((20, 31), (17, 16))]
    whole = rate_distortion.Pictures(pictures)
    found = rate_distortion.cut(whole.pixels, whole.places(200, 16, rng), 16)
    patches = np.rint(keras.ops.convert_to_numpy(found) * 255).astype(np.uint8)
    crops = {}
    for picture in pictures:
        for y in range(picture.shape[0] - 15):
            for x in range(picture.shape[1] - 15):
                crop = picture[y : y + 16, x : x + 16]
                for mirrored in (False, True):
                    turned = crop[:, ::-1] if mirrored else crop
                    crops[turned.tobytes()] = (mirrored, False)
                    crops[turned.transpose(1, 0, 2).tobytes()] = (mirrored, True)
    assert patches.shape == (200, 16, 16, 3)
    assert {crops[patch.tobytes()] for patch in patches} == set(crops.values())
    assert len({patch.tobytes() for patch in patches}) > 80


def test_a_share_of_the_patches_is_made():
    rng = np.random.default_rng(5)
    found, made = ([np.full((20, 24, 3), level, np.uint8) for _ in range(n)]
                   for level, n in ((50, 9), (200, 3)))  # fmt: skip
    whole = rate_distortion.Pictures(found, made, 0.25)
    assert len(whole) == 9
    patches = rate_distortion.cut(whole.pixels, whole.places(4000, 8, rng), 8)
    share = (keras.ops.convert_to_numpy(patches)[:, 0, 0, 0] > 0.5).mean()
    assert 0.22 < share < 0.28
    alike = [rate_distortion.Pictures(found, *rest).places(50, 8, np.random.default_rng(6))
             for rest in ((), (made, 0.0), ([], 0.25))]  # fmt: skip
    np.testing.assert_array_equal(alike[0], alike[1])
    np.testing.assert_array_equal(alike[0], alike[2])


def test_blocks_alone_take_a_lower_precision(start):
    """The weights stay what they are, and a latent is right to a hundredth of its deviation."""
    run = start()
    picture = run.inputs(next(run.feed))["picture"]
    full = keras.ops.convert_to_numpy(run.model.analysis(picture))
    patches = np.random.default_rng(4).integers(0, 256, (4, 32, 32, 3), np.uint8)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = rate_distortion.RateDistortion(run.config, patches)
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.start_from(run.model)
    found = mixed.analysis(picture)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    block = mixed.analysis.get_layer("block0_expand")
    assert (block.compute_dtype, block.kernel.dtype) == ("bfloat16", "float32")
    error = np.abs(keras.ops.convert_to_numpy(found) - full)
    assert 0 < error.max() < 0.02 * full.std()


def test_batches_hold_what_the_model_takes(start):
    run = start()
    batch = next(run.feed)
    inputs, lambdas = run.inputs(batch), batch.target
    assert inputs["picture"].shape == (4, 32, 32, 3)
    picture = keras.ops.convert_to_numpy(inputs["picture"])
    assert 0 <= picture.min() < 0.5 < picture.max() <= 1
    np.testing.assert_allclose(inputs["level"].sum(axis=1), 1, rtol=1e-6)
    assert set(np.unique(inputs["mask"])) <= {0, 1}
    assert ((lambdas >= 0.0018 * 0.999) & (lambdas <= 0.05 * 1.001)).all()


def test_dropping_channels_costs_fidelity_and_saves_bits(start):
    run = start()
    inputs = run.inputs(next(run.feed))
    whole = np.array(run.model(inputs | {"mask": np.ones((4, 12), "float32")}))
    few = np.ones((4, 12), "float32")
    few[:, 3:] = 0
    part = np.array(run.model(inputs | {"mask": few}))
    assert (part[:, 0] < whole[:, 0]).all()
    assert (part[:, 1] > whole[:, 1]).all()


def test_an_exported_model_codes_on_both_backends(start, tmp_path, monkeypatch):
    """What was trained is what is installed: a tiny model, from its run to a picture."""
    from nic.codec import Codec
    from nic.models.training.export import export

    export(start().model, tmp_path / "zoo" / "tiny-1", version=1)
    monkeypatch.setenv(zoo.PATH_VARIABLE, str(tmp_path / "zoo"))
    model = zoo.by_name("tiny-1")
    assert (model.channels, model.codebook, model.predicted) == (12, (-15, 16), (0, 1, 2))
    source = np.random.default_rng(2).integers(0, 256, (19, 27, 3), np.uint8)
    pictures = []
    for backend in ("native", "keras"):
        codec = Codec(model="tiny", backend=backend, device="cpu")
        pictures.append(codec.decode(codec.encode(source)).pixels.astype(int))
    assert pictures[0].shape == source.shape
    assert np.abs(pictures[0] - pictures[1]).max() <= 1


def test_a_larger_model_starts_as_the_smaller_one(start, folder):
    """Same pictures, more blocks and other rate points: what was learned is still there."""
    small = start().model
    table = asdict(small.config) | {"name": "other"}
    table["transform"] |= {"analysis_blocks": 2, "synthesis_blocks": 3}
    table["rate"] |= {"lambdas": [0.0018, 0.013, 0.05, 0.2]}
    config = ModelConfig.from_table(table)
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (4, 32, 32, 3), np.uint8)
    large = rate_distortion.RateDistortion(config, patches)
    picture = patches.astype("float32") / 255
    untouched = keras.ops.convert_to_numpy(large.analysis(picture))
    large.start_from(small)
    expected = keras.ops.convert_to_numpy(small.analysis(picture))
    found = keras.ops.convert_to_numpy(large.analysis(picture))
    assert np.abs(found - expected).max() < 0.2 * np.abs(untouched - expected).max()
    few, many = (model.tables()["gain"] for model in (small, large))
    np.testing.assert_allclose(many[:3], few, rtol=1e-5)
    slope = np.log(0.2 / 0.05) / np.log(0.05 / 0.013)
    np.testing.assert_allclose(many[3], few[2] * (few[2] / few[1]) ** slope, rtol=1e-4)


def test_rate_points_are_spread_by_the_scores_of_cjxl():
    from nic.models.training.export import CJXL, at_points, like_cjxl

    scores = np.array([6.0, 20, 45, 58, 73, 78, 80])
    points = like_cjxl(scores, 100)  # one for each quality
    assert (points[0], points[-1]) == (0, 6)
    assert (np.diff(points) > 0).all()
    reached = np.interp(points, range(7), scores)
    for quality in (30, 50, 70):
        assert reached[quality - 1] == pytest.approx(CJXL[quality])
    table = np.array([[1.0, 2.0], [4.0, 8.0], [16.0, 8.0]])
    found = at_points(table, np.array([0, 0.5, 2]))
    np.testing.assert_allclose(found, [[1, 2], [2, 4], [16, 8]])
