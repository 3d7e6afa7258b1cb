"""The file of weights, and the LiteRT networks that are made from them."""

import hashlib
import json
import shutil

import keras
import numpy as np
import pytest

from nic.errors import ModelError
from nic.models import weights, zoo
from nic.models.load import load_networks
from nic.models.training.export import write_litert
from nic.transform import backends


def test_weights_come_back(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "analysis/a/kernel": rng.random((3, 3, 2, 4), np.float32),
        "analysis/a/bias": np.float32([1, -0.0, np.pi]),
        "synthesis/scale": np.float32(2),
    }
    weights.save(tmp_path, arrays)
    data = (tmp_path / weights.NAME).read_bytes()
    found = weights.of_transform(data, "analysis")
    assert list(found) == ["a/kernel", "a/bias"]
    for name, array in found.items():
        assert array.dtype == np.float32
        assert array.tobytes() == arrays[f"analysis/{name}"].tobytes()
    assert weights.of_transform(data, "synthesis")["scale"] == 2


@pytest.mark.parametrize("kind", ["text", "one array", "pickled"])
def test_a_file_of_something_else(model, tmp_path, kind):
    folder = tmp_path / "model"
    shutil.copytree(model.folder, folder)
    path = folder / weights.NAME
    if kind == "text":
        path.write_text("weights")
    else:
        given = np.zeros(3) if kind == "one array" else np.array([{}])
        np.save(path, given, allow_pickle=True)
    files = {weights.NAME: hashlib.sha256(path.read_bytes()).hexdigest()}
    (folder / "model.json").write_text(json.dumps({**model.definition, "files": files}))
    with pytest.raises(ModelError, match="not a file of weights"):
        zoo.from_folder(folder).weights("analysis")


@pytest.mark.parametrize(
    ("backend", "change"),
    [
        ("native", {"analysis_blocks": 99}),
        ("keras", {"analysis_blocks": 99}),
        ("keras", {"width": 32}),  # native code takes the width from the weights
    ],
)
def test_weights_of_another_network(model, tmp_path, backend, change):
    folder = tmp_path / "model"
    shutil.copytree(model.folder, folder)
    transform = {**model.definition["transform"], **change}
    definition = {**model.definition, "transform": transform}
    (folder / "model.json").write_text(json.dumps(definition))
    with pytest.raises(ModelError, match=f"model {model.name}: "):
        backends.load(zoo.from_folder(folder), backend).analyse(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="LiteRT needs TensorFlow")
def test_litert_networks_compute_what_keras_does(model, tmp_path):
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT is not installed")
    write_litert(model, tmp_path / "phone")
    rng = np.random.default_rng(4)
    for name, network in zip(("analysis", "synthesis"), load_networks(model), strict=True):
        interpreter = litert.Interpreter(str(tmp_path / "phone" / f"{name}.tflite"))
        at = interpreter.get_input_details()[0]["index"]
        out = interpreter.get_output_details()[0]["index"]
        for h, w in ((1, 1), (5, 3)):
            shape = (1, 8 * h, 8 * w, 3) if name == "analysis" else (1, h, w, model.channels)
            x = rng.random(shape, np.float32)
            interpreter.resize_tensor_input(at, shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(at, x)
            interpreter.invoke()
            expected = keras.ops.convert_to_numpy(network(x))
            found = interpreter.get_tensor(out)
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, atol=1e-4)
