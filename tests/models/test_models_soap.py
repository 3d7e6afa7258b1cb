"""SOAP: better than Adam where coordinates are turned, the same on every backend, resumable."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is not installed")

from nic.models.training.soap import SOAP  # noqa: E402

TESTS = Path(__file__).parent
SHAPE = (2, 2, 3, 12)  # a matrix of 12 rows and columns


def curvature(side, rng):
    """A symmetric matrix of condition 300 whose axes are turned."""
    axes = np.linalg.qr(rng.normal(size=(side, side)))[0]
    return axes * np.geomspace(1, 1 / 300, side) @ axes.T


def descend(optimizer, steps, noise=0.0):
    """Minimise a quadratic of a kernel and one of a vector: the loss, and both (list).

    ``noise`` is that of the gradients.
    """
    rng = np.random.default_rng(1)
    left, right, third = (curvature(12, rng) for _ in range(3))
    wanted, bias = rng.normal(size=(12, 12)), rng.normal(size=12)
    kernel, vector = keras.Variable(np.zeros(SHAPE)), keras.Variable(np.zeros(12))
    optimizer.build([kernel, vector])
    for _ in range(steps):
        error = keras.ops.convert_to_numpy(kernel).reshape(12, 12) - wanted
        off = keras.ops.convert_to_numpy(vector) - bias
        slope = left @ error @ right
        slopes = [slope.reshape(SHAPE), third @ off]
        slopes = [(s + noise * rng.normal(size=s.shape)).astype("float32") for s in slopes]
        optimizer.apply([keras.ops.convert_to_tensor(s) for s in slopes], [kernel, vector])
    return float((error * slope).sum()), [keras.ops.convert_to_numpy(v) for v in (kernel, vector)]


def test_it_beats_adam_on_a_turned_quadratic():
    """At equal steps, with Adam's best of three rates."""
    soap, _ = descend(SOAP(0.05), 120)
    adam = min(descend(keras.optimizers.Adam(rate), 120)[0] for rate in (0.02, 0.05, 0.15))
    assert soap < adam / 3


def test_a_vector_is_left_to_adam():
    _, (_, soap) = descend(SOAP(0.03), 30)
    _, (_, adam) = descend(keras.optimizers.Adam(0.03, beta_2=0.95, epsilon=1e-8), 30)
    np.testing.assert_allclose(soap, adam, rtol=1e-4, atol=1e-6)


def test_long_sides_and_sides_of_one_are_not_turned():
    optimizer = SOAP(largest_side=50)
    optimizer.build([keras.Variable(np.zeros(s)) for s in ((3, 3, 8, 1), (1, 1, 60, 7), (9,), ())])
    (basis,) = [v for v in optimizer.variables if v.name.endswith("basis")]
    assert basis.shape == (7, 7)


def test_bases_stay_orthonormal():
    """Where there is no gradient too."""
    optimizer = SOAP(0.05)
    descend(optimizer, 45)
    bases = [v for v in optimizer.variables if v.name.endswith("basis")]
    for basis in bases:
        found = keras.ops.convert_to_numpy(basis)
        np.testing.assert_allclose(found.T @ found, np.eye(len(found)), atol=1e-5)
    idle = keras.Variable(np.ones((4, 3)))
    still = SOAP(0.05)
    still.build([idle])
    for _ in range(3):
        still.apply([keras.ops.zeros((4, 3))], [idle])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(idle), np.ones((4, 3)))


def test_clipping_and_averages_are_those_of_keras():
    optimizer = SOAP(0.05, global_clipnorm=1.0, use_ema=True, ema_momentum=0.9)
    kernel = keras.Variable(np.zeros((4, 3)))
    optimizer.build([kernel])
    rng = np.random.default_rng(2)
    for _ in range(5):
        optimizer.apply([keras.ops.convert_to_tensor(rng.normal(size=(4, 3)) * 1e6)], [kernel])
    last = keras.ops.convert_to_numpy(kernel)
    optimizer.finalize_variable_values([kernel])
    assert 0 < np.abs(keras.ops.convert_to_numpy(kernel) - last).max() < 0.3
    assert SOAP.from_config(optimizer.get_config()).get_config() == optimizer.get_config()


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_every_backend_takes_the_same_way(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    child = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
import numpy as np
from test_models_soap import SOAP, descend
np.savez("found.npz", *descend(SOAP(0.05), 45, noise=0.3)[1])
"""
    environment = os.environ | {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", child]
    result = subprocess.run(command, env=environment, capture_output=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr.decode()
    found = np.load(tmp_path / "found.npz")
    for name, expected in zip(found.files, descend(SOAP(0.05), 45, noise=0.3)[1], strict=True):
        np.testing.assert_allclose(found[name], expected, rtol=2e-3, atol=2e-3)
