"""The slopes of the synthesis transform, computed by its transposed network."""

import numpy as np
import pytest

from nic.models import native, zoo
from nic.models.native import layers
from nic.models.native.gradient import Synthesis, transposed
from nic.models.native.layers import Layer, Transform, transform_of

SETS = [each for each in native.Isa if each >= native.lib.transform_best()]
SHAPES = [(1, 1), (3, 5), (2, 60)]


def synthesis_of(name):
    return transform_of(zoo.by_name(name), "synthesis")


def latents_of(transform, height, width, seed=1):
    channels = transform.layers[0].weights.shape[2]
    values = np.random.default_rng(seed).normal(0, 0.05, (channels, height, width))
    return values.astype(np.float32)


def some_slopes(height, width):
    pixels = np.random.default_rng(2).normal(size=(8 * height, 8 * width, 3))
    return pixels.astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["light-5", "dcn"])
def test_slopes_are_those_of_differences(name, shape):
    """Along a random direction; only where no activation changes its sign on the way."""
    transform = (
        layers.dcn_of_random_weights("synthesis", 16) if name == "dcn" else synthesis_of(name)
    )
    network, latents = Synthesis(transform), latents_of(transform, *shape)
    direction = latents_of(transform, *shape, seed=3)
    weights = some_slopes(*shape)

    def value(at):
        return float((network.decode(at).astype(np.float64) * weights).sum())

    step = np.float32(2e-3)
    differences = (value(latents + step * direction) - value(latents - step * direction)) / (
        2 * step
    )
    network.decode(latents)
    slopes = network.slopes(weights)
    assert slopes.shape == latents.shape
    expected = float((slopes.astype(np.float64) * direction).sum())
    size = np.linalg.norm(slopes) * np.linalg.norm(direction)
    assert abs(differences - expected) < 0.01 * size


def test_slopes_equal_those_of_keras():
    pytest.importorskip("keras")
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("this test takes slopes with TensorFlow")
    import tensorflow as tf

    from nic.models.load import load_networks

    model = zoo.by_name("light-5")
    transform = transform_of(model, "synthesis")
    for shape in SHAPES:
        latents, weights = latents_of(transform, *shape), some_slopes(*shape)
        network = Synthesis(transform, threads=2)
        pixels = network.decode(latents)
        variable = tf.Variable(np.moveaxis(latents, 0, -1)[None])
        with tf.GradientTape() as tape:
            decoded = load_networks(model)[1](variable)
            total = tf.reduce_sum(decoded * weights[None])
        expected = np.moveaxis(tape.gradient(total, variable).numpy()[0], -1, 0)
        np.testing.assert_allclose(pixels, decoded.numpy()[0], atol=1e-5)
        error = np.abs(network.slopes(weights) - expected).max()
        assert error < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("isa", [each for each in SETS if each != native.Isa.PORTABLE])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_slopes_are_the_same_on_every_instruction_set_and_with_any_threads(
    isa, threads, monkeypatch
):
    transform, shape = synthesis_of("light-5"), (4, 100)
    results = []
    for name, count in ((SETS[0].name, 1), (isa.name, threads)):
        monkeypatch.setenv(native.VARIABLE, name.lower())
        network = Synthesis(transform, threads=count)
        pixels = network.decode(latents_of(transform, *shape))
        results.append((pixels, network.slopes(some_slopes(*shape))))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_network_serves_pictures_of_several_sizes():
    transform = synthesis_of("light-5")
    one = Synthesis(transform)
    for shape in (*SHAPES, SHAPES[0]):
        alone = Synthesis(transform)
        for network in (one, alone):
            network.decode(latents_of(transform, *shape))
        slopes = [network.slopes(some_slopes(*shape)) for network in (one, alone)]
        np.testing.assert_array_equal(*slopes)


def test_signs_are_kept_for_each_picture_by_itself():
    transform, shape = synthesis_of("light-5"), (2, 3)
    first, second = Synthesis(transform), Synthesis(transform)
    first.decode(latents_of(transform, *shape))
    before = first.slopes(some_slopes(*shape))
    second.decode(-latents_of(transform, *shape))
    np.testing.assert_array_equal(first.slopes(some_slopes(*shape)), before)
    first.decode(-latents_of(transform, *shape))
    assert (first.slopes(some_slopes(*shape)) != before).any()


@pytest.mark.parametrize(
    "wrong",
    [{"stride": 2}, {"size": 2}, {"unfold": 2, "skip": 0}, {"slope": 0.0, "is_added": True}],
)
def test_layers_that_have_no_transpose_are_refused(wrong):
    def layer(size=1, is_added=False, **options):
        return Layer(np.ones((size, size, 4, 4), np.float32), np.zeros(4, np.float32), **options)

    after = layer(skip=1) if wrong.get("is_added") else layer()
    middle = layer() if wrong.get("is_added") else layer(skip=None)
    with pytest.raises(ValueError, match="transpose"):
        transposed(Transform((layer(**wrong), middle, after), 1.0, 0.0))
