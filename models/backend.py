"""Running a model's transforms: LiteRT or Keras behind one small interface.

Both give the same latents and pictures but for the order of float additions. LiteRT starts
ten times sooner and runs three times faster on a CPU; Keras runs on a GPU.
"""

import importlib.util
import os
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from nic.errors import ModelError, UsageError
from nic.models.native import native_stderr_closed
from nic.models.zoo import Model

Name = Literal["auto", "litert", "keras"]
Floats = NDArray[np.float32]


class Backend(Protocol):
    """Both transforms of one model, loaded when first used."""

    @property
    def reach(self) -> tuple[int, int]:
        """How many latents away analysis and synthesis still see something."""

    def analysis(self, picture: Floats) -> Floats:
        """Picture (H, W, 3) in [0, 1], sides multiples of 8 -> latents (H/8, W/8, C)."""

    def synthesis(self, latents: Floats) -> Floats:
        """Latents (h, w, C) -> picture (8h, 8w, 3), not clipped."""


@dataclass(frozen=True)
class Window:
    """A part of a picture, of which latents are refined."""

    latents: Floats  # (h, w, C) in units of the quantizer's step
    inputs: dict[str, NDArray[Any]]  # ... of their cost: see nic.models.refine.Refiner.call


def load(
    model: Model, backend: Name = "auto", device: str = "auto", cores: int | None = None
) -> Backend:
    """Choose a backend: LiteRT on the CPU; Keras when it, or a GPU, is asked for.

    Args:
        device: ``auto``, ``cpu``, ``gpu`` or ``gpu:N``.
        cores: how many processors a network may use; None for all.
    Raises: UsageError for a device that the backend or the machine does not have.
    """
    on_gpu = device.startswith("gpu")
    if backend == "keras" or (backend == "auto" and on_gpu):
        return KerasBackend(model, device, cores)
    if on_gpu:
        raise UsageError("the litert backend runs on the CPU; use --backend keras for a GPU")
    return LiteRTBackend(model, cores)


class LiteRTBackend:
    """The exported transforms on LiteRT's CPU kernels (XNNPACK)."""

    def __init__(self, model: Model, cores: int | None = None) -> None:
        self._model = model
        self._cores = cores
        self._interpreters: dict[str, Any] = {}

    @property
    def reach(self) -> tuple[int, int]:
        """See ``Backend``."""
        return self._model.reach

    def analysis(self, picture: Floats) -> Floats:
        """See ``Backend``."""
        return self._run("analysis.tflite", picture)

    def synthesis(self, latents: Floats) -> Floats:
        """See ``Backend``."""
        return self._run("synthesis.tflite", latents)

    def _run(self, file: str, x: Floats) -> Floats:
        interpreter = self._interpreters.get(file) or self._load(file)
        at = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(at, (1, *x.shape))
        with native_stderr_closed():
            interpreter.allocate_tensors()  # does nothing for the size of the last call
        interpreter.set_tensor(at, x[None])
        interpreter.invoke()
        out: Floats = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
        return out

    def _load(self, file: str) -> Any:
        if importlib.util.find_spec("ai_edge_litert") is None:
            raise ModelError("LiteRT is not installed: pip install ai-edge-litert")
        from ai_edge_litert.interpreter import Interpreter

        threads = self._cores
        if threads is None and hasattr(os, "sched_getaffinity"):
            threads = len(os.sched_getaffinity(0))
        with native_stderr_closed():
            interpreter = Interpreter(str(self._model.file(file)), num_threads=threads)
        return self._interpreters.setdefault(file, interpreter)


class KerasBackend:
    """The transforms as Keras models, on the CPU or a GPU. Arguments are those of ``load``."""

    def __init__(self, model: Model, device: str, cores: int | None = None) -> None:
        if importlib.util.find_spec("keras") is None:
            raise ModelError("Keras is not installed: pip install 'nic-codec[keras]'")
        if cores is not None:
            for variable in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
                os.environ.setdefault(variable, str(cores))
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with native_stderr_closed():
            import keras

            from nic.models.export import load_networks

            devices = _devices(keras)  # which starts the framework

        self._keras = keras
        self._model = model
        self._device = self._place(device, devices)
        with keras.device(self._device):
            self._analysis, self._synthesis = load_networks(model)
        self._refiners: dict[tuple[int, ...], Any] = {}  # by the shape of a window's latents

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
        """See ``Backend``."""
        return self._model.reach

    def analysis(self, picture: Floats) -> Floats:
        """See ``Backend``."""
        return self._run(self._analysis, picture)

    def synthesis(self, latents: Floats) -> Floats:
        """See ``Backend``."""
        return self._run(self._synthesis, latents)

    def refine(self, window: Window, steps: int) -> Floats:
        """Better latents for a window of a picture: see ``nic.models.refine``."""
        from nic.models.refine import Refiner

        shape = window.latents.shape
        with self._keras.device(self._device):
            if shape not in self._refiners:
                self._refiners[shape] = Refiner(self._model, self._synthesis, shape)
            refined: Floats = self._refiners[shape].refine(window, steps)
        return refined

    def _run(self, network: Any, x: Floats) -> Floats:
        with self._keras.device(self._device):
            out: Floats = self._keras.ops.convert_to_numpy(network(x[None]))[0]
        return out


def _devices(keras: Any) -> list[str]:
    """Devices of the best kind that there is, as Keras names them."""
    if keras.backend.backend() != "torch":
        return [str(device) for device in keras.distribution.list_devices()]
    import torch  # for which Keras has no list

    return [f"gpu:{i}" for i in range(torch.cuda.device_count())] or ["cpu"]
