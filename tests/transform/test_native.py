"""The transforms in C: the arithmetic that transform.h promises, for any size, thread and push."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from nic.errors import ModelError, UsageError
from nic.models import native, zoo
from nic.models.native import Isa, Network, layers
from nic.models.native.layers import Layer, Transform

STRIDE = 8
HAS_FMA = native.Isa(native.lib.transform_best()) != Isa.PORTABLE
SETS = [each for each in Isa if each >= native.lib.transform_best()]


@pytest.fixture(params=[each.name.lower() for each in SETS])
def each_isa(request, monkeypatch):
    monkeypatch.setenv(native.VARIABLE, request.param)
    return request.param


@pytest.fixture(scope="module")
def networks():
    return both_of(zoo.by_name("light-5"))


def both_of(model):
    names = ("analysis", "synthesis")
    return [Network(layers.transform_of(model, name), name == names[0]) for name in names]


def random_layer(rng, size, inputs, outputs, **options):
    shape = (size, size, inputs, outputs) if inputs else (size, size, outputs)
    deviation = 1 / np.sqrt(size * size * max(1, inputs))
    weights = rng.normal(0, deviation, shape).astype(np.float32)
    return Layer(weights, rng.normal(0, 0.1, outputs).astype(np.float32), **options)


def random_networks(rng):
    """An analysis and a synthesis with every kind of layer, skip and unfolding."""
    depthwise = {"size": 3, "inputs": 0}
    analysis = (
        random_layer(rng, 5, 3, 7, stride=2, slope=0.2),  # 1: half of the resolution
        random_layer(rng, 4, 7, 13, stride=2),  # 2: a quarter
        random_layer(rng, **depthwise, outputs=13, slope=0.2),
        random_layer(rng, 1, 13, 20, slope=0.0),
        random_layer(rng, 1, 20, 13, skip=2),  # 5
        random_layer(rng, 1, 0, 13, slope=0.2),
        random_layer(rng, 3, 13, 13, skip=5),  # 7
        random_layer(rng, 5, 13, 9, stride=2),
    )
    synthesis = (
        random_layer(rng, 3, 9, 44, unfold=2),  # 1: 11 channels, a quarter of the resolution
        random_layer(rng, **depthwise, outputs=11),
        random_layer(rng, 1, 11, 11, skip=1),
        random_layer(rng, 2, 11, 24, unfold=2, slope=0.2),  # 4: 6 channels, half
        random_layer(rng, 3, 6, 12, unfold=2),
    )
    return Transform(analysis, 1.0, -0.5), Transform(synthesis, 0.1, 0.5)


# -- what it should compute, written as plainly as possible -------------------------------------


def fused(a, b, c):
    """a * b + c in float32, rounded once: exact for numbers of about the same size."""
    return (a.astype(np.longdouble) * b + c).astype(np.float32)


def run(transform, x):
    """Tensor (h, w, C) -> the last tensor, by the order of operations of transform.h."""
    tensors = [x]
    for layer in transform.layers:
        x = tensors[-1]
        k, s = len(layer.weights), layer.stride
        before = (k - s) // 2
        margins = (before, k - s - before)
        padded = np.pad(x, (margins, margins, (0, 0)))
        h, w = x.shape[0] // s, x.shape[1] // s
        total = np.broadcast_to(layer.bias, (h, w, len(layer.bias))).astype(np.float32)
        for i, j in itertools.product(range(k), range(k)):
            tap = padded[i : i + s * h : s, j : j + s * w : s]
            if layer.is_depthwise:
                total = fused(tap, layer.weights[i, j], total)
                continue
            for c in range(x.shape[2]):
                total = fused(tap[..., c : c + 1], layer.weights[i, j, c], total)
        if layer.slope != 1:
            total = np.where(total > 0, total, np.float32(layer.slope) * total)
        if layer.skip is not None:
            total = total + tensors[layer.skip]
        f = layer.unfold
        total = total.reshape(h, w, f, f, -1).transpose(0, 2, 1, 3, 4).reshape(h * f, w * f, -1)
        tensors.append(total.astype(np.float32))
    return tensors[-1]


def expected_latents(transform, pixels, peak):
    h, w = pixels.shape[:2]
    rgb = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, -1)
    padded = np.pad(rgb, ((0, -h % 8), (0, -w % 8), (0, 0)), mode="symmetric")
    scale = np.float32(transform.scale / peak)
    x = fused(padded.astype(np.float32), scale, np.float32(transform.offset))
    return run(transform, x).transpose(2, 0, 1)


def expected_pixels(transform, latents, shape, peak):
    x = run(transform, latents.transpose(1, 2, 0))[: shape[0], : shape[1]]
    if len(shape) == 2:
        x = (x[..., 0] + x[..., 1] + x[..., 2]) * np.float32(1 / 3)
    x = x * np.float32(transform.scale * peak)
    x = x + np.float32(transform.offset * peak)
    return np.rint(np.clip(x, 0, peak)).astype(np.uint8 if peak == 255 else np.uint16)


@pytest.mark.parametrize("shape", [(1, 1), (9, 5, 3), (24, 40, 3), (17, 396, 3), (40, 389)])
@pytest.mark.parametrize("depth", [8, 16])
def test_it_computes_what_the_header_says_bit_for_bit(shape, depth, each_isa):
    """Where a processor has no fused multiply-add, a last bit may differ."""
    rng = np.random.default_rng(len(shape) + depth)
    analysis, synthesis = random_networks(rng)
    peak = (1 << depth) - 1
    pixels = rng.integers(0, peak + 1, shape).astype(np.uint8 if depth == 8 else np.uint16)
    latents = whole(Network(analysis, True), pixels)
    wanted = expected_latents(analysis, pixels, peak)
    np.testing.assert_allclose(latents, wanted, rtol=1e-5, atol=1e-6)
    decoded = whole(Network(synthesis, False), wanted, pixels)
    found = expected_pixels(synthesis, wanted, shape, peak)
    if each_isa == "portable":
        assert np.abs(decoded.astype(int) - found).max() <= 1
        return
    np.testing.assert_array_equal(latents, wanted)
    np.testing.assert_array_equal(decoded, found)


def whole(network, rows, like=None, threads=1):
    """All rows in one push; ``like``: the pixels that a synthesis makes again."""
    pixels = rows if like is None else like
    colours = pixels.shape[2] if pixels.ndim == 3 else 1
    depth = 8 * pixels.itemsize
    start = network.start(pixels.shape[1], pixels.shape[0], colours, depth, threads)
    return start.push(rows)


# -- any size, any way --------------------------------------------------------------------------


def test_all_instruction_sets_and_threads_give_the_same_bits(networks, monkeypatch):
    rng = np.random.default_rng(4)
    for _ in range(6):
        h, w = rng.integers(1, 140, 2)
        pixels = rng.integers(0, 256, (h, w, 3), np.uint8)
        results = []
        for each, threads in itertools.product(SETS, (1, 3)):
            monkeypatch.setenv(native.VARIABLE, each.name.lower())
            latents = whole(networks[0], pixels, threads=threads)
            results.append((latents, whole(networks[1], latents, pixels, threads)))
        # With fused multiply-add in software two of a million values may differ in a bit.
        exact = len(results) - (2 if HAS_FMA else 0)
        for latents, decoded in results[1:exact]:
            np.testing.assert_array_equal(latents, results[0][0])
            np.testing.assert_array_equal(decoded, results[0][1])
        for latents, _ in results[exact:]:
            np.testing.assert_allclose(latents, results[0][0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_may_come_in_any_portions(networks, threads):
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (123, 77, 3), np.uint8)
    latents = whole(networks[0], pixels)
    decoded = whole(networks[1], latents, pixels)
    for step in (8, 24, 64):
        forward = networks[0].start(77, 123, 3, 8, threads)
        parts = [forward.push(pixels[y : y + step]) for y in range(0, 123, step)]
        np.testing.assert_array_equal(np.concatenate(parts, axis=1), latents)
    for step in (1, 2, 7):
        back = networks[1].start(77, 123, 3, 8, threads)
        rows = latents.shape[1]
        parts = [back.push(latents[:, y : y + step]) for y in range(0, rows, step)]
        np.testing.assert_array_equal(np.concatenate(parts), decoded)


def test_memory_grows_with_the_width_alone(networks):
    low, high = (networks[1].start(1920, height, 3, 8).memory for height in (8, 1 << 20))
    assert low == high < 16 << 20


def test_narrow_pictures_are_close_to_wide_ones_of_the_same_rows(networks):
    """Columns that no border is near have the same bits, whatever the width."""
    rng = np.random.default_rng(6)
    pixels = rng.integers(0, 256, (16, 640, 3), np.uint8)
    reach = 9
    wide, narrow = whole(networks[0], pixels), whole(networks[0], pixels[:, :480])
    np.testing.assert_array_equal(wide[..., : 60 - reach], narrow[..., : 60 - reach])
    assert (wide[..., :60] != narrow).any()


@pytest.mark.parametrize("name", ["light-5", "light-ms-ssim", "light-visual"])
def test_it_is_as_keras_computes(name):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    from nic.models.load import load_networks

    model = zoo.by_name(name)
    both = both_of(model)
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:72, :96]
    smooth = np.stack([2 * x, 3 * y, 128 + 60 * np.sin(x * y / 300)], axis=2)
    pixels = (smooth + rng.normal(0, 20, smooth.shape)).clip(0, 255).astype(np.uint8)
    analysis, synthesis = load_networks(model)
    wanted = keras.ops.convert_to_numpy(analysis(pixels[None].astype(np.float32) / 255))[0]
    latents = whole(both[0], pixels)
    np.testing.assert_allclose(latents, wanted.transpose(2, 0, 1), rtol=1e-4, atol=1e-4)
    picture = keras.ops.convert_to_numpy(synthesis(wanted[None]))[0]
    decoded = whole(both[1], latents, pixels).astype(int)
    assert np.abs(decoded - np.rint(np.clip(picture, 0, 1) * 255)).max() <= 1


def test_the_reference_network_is_as_keras_computes(monkeypatch):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    from nic.models import dcn

    keras.utils.set_random_seed(3)
    analysis, synthesis = dcn.analysis(16), dcn.synthesis(16)
    analysis.get_layer("scale").scale.assign(3.0)
    for layer in (*analysis.layers, *synthesis.layers):
        if hasattr(layer, "bias"):
            layer.bias.assign(np.random.default_rng(1).normal(0, 0.1, layer.bias.shape))
    weights = {
        network.name: {v.path: keras.ops.convert_to_numpy(v) for v in network.weights}
        for network in (analysis, synthesis)
    }
    model = SimpleNamespace(name="dcn", is_reference=True, weights=weights.get, definition={})
    both = both_of(model)
    pixels = np.random.default_rng(2).integers(0, 256, (40, 56, 3), np.uint8)
    wanted = keras.ops.convert_to_numpy(analysis(pixels[None].astype(np.float32) / 255))[0]
    latents = whole(both[0], pixels)
    np.testing.assert_allclose(latents, wanted.transpose(2, 0, 1), rtol=1e-3, atol=1e-4)
    symbols = np.rint(latents)
    picture = keras.ops.convert_to_numpy(synthesis(symbols.transpose(1, 2, 0)[None]))[0]
    decoded = whole(both[1], symbols, pixels).astype(int)
    assert np.abs(decoded - np.rint(picture * 255)).max() <= 1


# -- what it refuses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"stride": 3}, {"stride": 16}, {"unfold": 3}, {"unfold": 2}, {"skip": 0}, {"skip": 4},
        {"bias": np.zeros(6, np.float32)},
    ],
)  # fmt: skip
def test_layers_that_do_not_fit(change):
    rng = np.random.default_rng(8)
    first = random_layer(rng, 8, 3, 5, stride=8)
    second = Layer(**{"weights": np.zeros((1, 1, 5, 5), np.float32),
                      "bias": np.zeros(5, np.float32)} | change)  # fmt: skip
    if "bias" in change:
        second = Layer(np.zeros((1, 1, 6, 6), np.float32), np.zeros(6, np.float32))
    with pytest.raises(ModelError, match="none that this version of nic runs"):
        Network(Transform((first, second), 1.0, 0.0), True)


def test_a_network_without_its_weights():
    definition = zoo.by_name("light-5").definition
    model = SimpleNamespace(
        name="light", is_reference=False, weights=lambda _: {}, definition=definition
    )
    with pytest.raises(ModelError, match="patches/kernel is missing"):
        layers.transform_of(model, "analysis")


def test_an_instruction_set_that_is_none(monkeypatch):
    monkeypatch.setenv(native.VARIABLE, "mmx")
    with pytest.raises(UsageError, match="NIC_ISA is 'mmx'; use avx512, avx2, portable"):
        native.isa()


def test_an_instruction_set_that_the_processor_lacks(monkeypatch):
    monkeypatch.setenv(native.VARIABLE, "avx512")
    monkeypatch.setattr(native, "lib", SimpleNamespace(transform_best=lambda: Isa.AVX2))
    with pytest.raises(UsageError, match="avx512, which this processor does not have"):
        native.isa()


def test_too_many_rows(networks):
    start = networks[1].start(16, 16, 3, 8)
    with pytest.raises(Exception, match="the transform failed"):
        start.push(np.zeros((80, 3, 2), np.float32))
