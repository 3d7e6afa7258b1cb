"""A model's transforms on Keras, on the CPU or a GPU.

``nic.transform.backends`` chooses between this and native code, which needs no Keras.
"""

import importlib.util
import os
from typing import Any

from nic.errors import ModelError, UsageError
from nic.models.quiet import native_stderr_closed
from nic.models.zoo import Model
from nic.types import Floats


class KerasBackend:
    """The transforms as Keras models, on the CPU or a GPU.

    For the arguments see ``nic.transform.backends.load``. Raises ModelError when Keras or the
    model's weights are not installed, UsageError when there is no such device.
    """

    def __init__(self, model: Model, device: str, threads: int | None = None) -> None:
        if threads is not None:
            for variable in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
                os.environ.setdefault(variable, str(threads))
        self._keras, devices = _keras()
        self._model = model
        self._device = self._place(device, devices)
        with self._keras.device(self._device):
            self._analysis, self._synthesis = keras_networks(model)

    @staticmethod
    def _place(device: str, devices: list[str]) -> str:
        """Keras's name of the device. Raises UsageError when there is no such device."""
        if device == "auto":
            return str(devices[0])
        if device == "cpu":
            return device
        wanted = device if ":" in device else f"{device}:0"
        if wanted not in devices:
            raise UsageError(f"no device {device}; this machine has: {', '.join(devices)}")
        return wanted

    @property
    def reach(self) -> tuple[int, int]:
        """See ``nic.transform.tiles.Network``."""
        return self._model.reach

    def analysis(self, picture: Floats) -> Floats:
        """See ``nic.transform.tiles.Network``."""
        return self._run(self._analysis, picture)

    def synthesis(self, latents: Floats) -> Floats:
        """See ``nic.transform.tiles.Network``."""
        return self._run(self._synthesis, latents)

    def _run(self, network: Any, x: Floats) -> Floats:
        with self._keras.device(self._device):
            out: Floats = self._keras.ops.convert_to_numpy(network(x[None]))[0]
        return out


def keras_networks(model: Model) -> tuple[Any, Any]:
    """The analysis and the synthesis transform of a model, as Keras models.

    Raises: ModelError when Keras or the model's weights are not installed.
    """
    _keras()
    from nic.models.load import load_networks

    return load_networks(model)


def _keras() -> tuple[Any, list[str]]:
    """Keras, with its framework started, and its devices. Raises ModelError."""
    if importlib.util.find_spec("keras") is None:
        raise ModelError("Keras is not installed: pip install 'nic-codec[keras]'")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with native_stderr_closed():
        import keras

        return keras, _devices(keras)  # listing the devices starts the framework


def _devices(keras: Any) -> list[str]:
    """The names in Keras of the devices of the best kind: GPUs if there are any, else CPUs."""
    if keras.backend.backend() != "torch":
        return [str(device) for device in keras.distribution.list_devices()]
    import torch  # Keras cannot list its devices

    return [f"gpu:{i}" for i in range(torch.cuda.device_count())] or ["cpu"]
