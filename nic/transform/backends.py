"""Running a model's transforms: native code, LiteRT or Keras behind one small interface.

All give the same latents and pictures, except for the order of float additions. Native code gives
the same bits on every machine, starts at once and needs the least memory. Only Keras runs on a GPU.
"""

import importlib.util
from threading import Lock
from typing import Any, Protocol

import numpy as np

from nic.errors import ModelError, UsageError
from nic.models.quiet import native_stderr_closed
from nic.models.zoo import Model
from nic.resources import cores
from nic.settings import BackendName
from nic.transform.tiles import Tiled
from nic.types import STRIDE, Floats, Pixels, depth_of


class Backend(Protocol):
    """Both transforms of one model, loaded when first used."""

    @property
    def reach(self) -> tuple[int, int]:
        """How far each transform sees, in latents: (analysis, synthesis)."""

    def analyse(self, pixels: Pixels) -> Floats:
        """Pixels (H, W[, 3]), uint8 or uint16 -> latents (h, w, C).

        Sides are filled up to multiples of 8 by mirroring.
        """

    def synthesise(self, latents: Floats, grey: bool, depth: int) -> Pixels:
        """Latents (h, w, C) -> pixels (8h, 8w, 3), or (8h, 8w) for ``grey``.

        Pixels are uint8, or uint16 if ``depth`` is 16.
        """


def load(
    model: Model, backend: BackendName = "auto", device: str = "auto", cores: int | None = None
) -> Backend:
    """The backend for a model: native code, or what is asked for; Keras for a GPU.

    Args:
        device: ``auto``, ``cpu``, ``gpu`` or ``gpu:N``.
        cores: how many processors a network may use; None for all.
    Raises: UsageError for a device that the backend or the machine does not have, ModelError
        when Keras is not installed.
    """
    on_gpu = device.startswith("gpu")
    if backend == "keras" or (backend == "auto" and on_gpu):
        from nic.models.keras_backend import KerasBackend

        return Tiled(KerasBackend(model, device, cores))
    if on_gpu:
        raise UsageError(f"the {backend} backend runs on the CPU; use --backend keras for a GPU")
    if backend == "litert":
        return Tiled(LiteRTBackend(model, cores))
    return NativeBackend(model, cores)


class NativeBackend:
    """The transforms in C; see transform.h."""

    def __init__(self, model: Model, cores: int | None = None) -> None:
        self._model = model
        self._cores = cores
        self._networks: dict[str, Any] = {}

    @property
    def reach(self) -> tuple[int, int]:
        """See ``Backend``."""
        return self._model.reach

    def analyse(self, pixels: Pixels) -> Floats:
        """See ``Backend``."""
        height, width = pixels.shape[:2]
        colours = pixels.shape[2] if pixels.ndim == 3 else 1
        whole = self._start("analysis", width, height, colours, depth_of(pixels))
        latents: Floats = np.moveaxis(whole.push(pixels), 0, -1)
        return latents

    def synthesise(self, latents: Floats, grey: bool, depth: int) -> Pixels:
        """See ``Backend``."""
        height, width = STRIDE * latents.shape[0], STRIDE * latents.shape[1]
        whole = self._start("synthesis", width, height, 1 if grey else 3, depth)
        pixels: Pixels = whole.push(np.moveaxis(latents, -1, 0))
        return pixels

    def _layers(self, name: str) -> Any:
        from nic.models.layers import transform_of

        return transform_of(self._model, name)

    def _start(self, name: str, width: int, height: int, colours: int, depth: int) -> Any:
        if name not in self._networks:
            from nic.models.native import Network

            self._networks.setdefault(name, Network(self._layers(name), name == "analysis"))
        threads = (self._cores or cores()) if width * height > SMALL else 1
        return self._networks[name].start(width, height, colours, depth, threads)


SMALL = 1 << 14  # pixels; for fewer ones further threads are not worth their start
LARGE = 1 << 21  # pixels; what a network needs for more is not held twice


class LiteRTBackend:
    """The exported transforms on LiteRT's CPU kernels (XNNPACK)."""

    def __init__(self, model: Model, cores: int | None = None) -> None:
        self._model = model
        self._cores = cores
        self._interpreters: dict[str, Any] = {}
        self._sizes: dict[str, tuple[int, ...]] = {}  # of the last input: its shape and its pixels
        self._one_at_a_time = Lock()  # an interpreter holds the tensors of one call

    @property
    def reach(self) -> tuple[int, int]:
        """See ``Backend``."""
        return self._model.reach

    def analysis(self, picture: Floats) -> Floats:
        """See ``Backend``."""
        return self._run("analysis.tflite", picture, picture.shape[0] * picture.shape[1])

    def synthesis(self, latents: Floats) -> Floats:
        """See ``Backend``."""
        pixels = latents.shape[0] * latents.shape[1] * STRIDE**2
        return self._run("synthesis.tflite", latents, pixels)

    def _run(self, file: str, x: Floats, pixels: int) -> Floats:
        with self._one_at_a_time:
            # Another size needs memory beside that of the last one, so the last one goes first.
            size, last = (*x.shape, pixels), self._sizes.get(file)
            if last is not None and last != size and max(last[-1], pixels) > LARGE:
                del self._interpreters[file]
            out = self._run_alone(file, x)
            self._sizes[file] = size
            return out

    def _run_alone(self, file: str, x: Floats) -> Floats:
        interpreter = self._interpreters.get(file) or self._load(file)
        at = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(at, (1, *x.shape))
        with native_stderr_closed():
            interpreter.allocate_tensors()  # returns at once when the size has not changed
        interpreter.set_tensor(at, x[None])
        interpreter.invoke()
        out: Floats = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
        return out

    def _load(self, file: str) -> Any:
        if importlib.util.find_spec("ai_edge_litert") is None:
            raise ModelError("LiteRT is not installed: pip install ai-edge-litert")
        from ai_edge_litert.interpreter import Interpreter

        threads = self._cores or cores()
        with native_stderr_closed():
            interpreter = Interpreter(str(self._model.file(file)), num_threads=threads)
        return self._interpreters.setdefault(file, interpreter)
