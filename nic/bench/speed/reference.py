"""The reference network ("dcn"), built here and timed in the same way as nic's networks.

Its weights are random, as they do not change the time. As a program, ``python -m
nic.bench.speed.reference FOLDER`` writes its LiteRT export. That is a separate process, because the
conversion loads TensorFlow, which would take cores and memory from later measurements.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from nic.errors import ModelError
from nic.models import layers, zoo
from nic.models.keras_backend import KerasBackend
from nic.transform import backends as backends
from nic.transform.tiles import Tiled

CHANNELS = 32
NAME = f"dcn, {CHANNELS} channels"
FILES = ("analysis.tflite", "synthesis.tflite")
NEEDED: dict[str, tuple[str, ...]] = {
    "native": (),
    "litert": ("keras", "tensorflow"),
    "keras": ("keras",),
}


def load(backend: str, device: str, model: zoo.Model, folder: Path) -> backends.Backend:
    """The reference network on a backend.

    Args:
        backend: ``native``, ``litert`` or ``keras``.
        device: where Keras runs.
        model: any installed model; Keras is started with it, as for nic's networks.
        folder: an empty folder for the export.
    Raises: ModelError when the network cannot be built.
    """
    for package in NEEDED[backend]:
        if importlib.util.find_spec(package) is None:
            raise ModelError(
                f"{NAME}, on {backend}: building it needs {package}: pip install 'nic-codec[keras]'"
            )
    if backend == "native":
        return _Native(model)
    return Tiled(_Keras(model, device) if backend == "keras" else _litert(folder))


class _Native(backends.NativeBackend):
    """The native backend with the reference network in place of the model's."""

    def _layers(self, name: str) -> layers.Transform:
        return layers.dcn_of_random_weights(name, CHANNELS)


class _Keras(KerasBackend):
    """A Keras backend with the reference network in place of the model's."""

    def __init__(self, model: zoo.Model, device: str) -> None:
        super().__init__(model, device)
        from nic.models import dcn

        with self._keras.device(self._device):
            self._analysis, self._synthesis = dcn.analysis(CHANNELS), dcn.synthesis(CHANNELS)


def _litert(folder: Path) -> backends.LiteRTBackend:
    """Export the network to ``folder`` in a child process, and load the export."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-P", "-m", "nic.bench.speed.reference", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"
        raise ModelError(f"{NAME}: not exported: {reason}")
    digests = {f: hashlib.sha256((folder / f).read_bytes()).hexdigest() for f in FILES}
    return backends.LiteRTBackend(
        zoo.Model(folder, {"name": NAME, "family": "dcn", "files": digests}, "")
    )


def export(folder: Path) -> None:
    """Write both transforms for LiteRT into a folder."""
    from nic.models import dcn

    for name, build in zip(FILES, (dcn.analysis, dcn.synthesis), strict=True):
        build(CHANNELS).export(str(folder / name), format="litert", verbose=False)


if __name__ == "__main__":
    export(Path(sys.argv[1]))
