"""Running a model's transforms: LiteRT or Keras behind one small interface.

Both give the same latents and pictures, except for the order of float additions. On a CPU, LiteRT
starts in a tenth of the time and is three times as fast. Only Keras runs on a GPU.
"""

import importlib.util
from threading import Lock
from typing import Any, Protocol

from nic.errors import ModelError, UsageError
from nic.models.quiet import native_stderr_closed
from nic.models.zoo import Model
from nic.resources import cores
from nic.settings import BackendName
from nic.types import STRIDE, Floats


class Backend(Protocol):
    """Both transforms of one model, loaded when first used."""

    @property
    def reach(self) -> tuple[int, int]:
        """How far each transform sees, in latents: (analysis, synthesis)."""

    def analysis(self, picture: Floats) -> Floats:
        """Picture (H, W, 3) in [0, 1], sides multiples of 8 -> latents (H/8, W/8, C)."""

    def synthesis(self, latents: Floats) -> Floats:
        """Latents (h, w, C) -> picture (8h, 8w, 3), not clipped."""


def load(
    model: Model, backend: BackendName = "auto", device: str = "auto", cores: int | None = None
) -> Backend:
    """The backend for a model: LiteRT, or Keras when it or a GPU is asked for.

    Args:
        device: ``auto``, ``cpu``, ``gpu`` or ``gpu:N``.
        cores: how many processors a network may use; None for all.
    Raises: UsageError for a device that the backend or the machine does not have, ModelError
        when Keras is not installed.
    """
    on_gpu = device.startswith("gpu")
    if backend == "keras" or (backend == "auto" and on_gpu):
        from nic.models.keras_backend import KerasBackend

        return KerasBackend(model, device, cores)
    if on_gpu:
        raise UsageError("the litert backend runs on the CPU; use --backend keras for a GPU")
    return LiteRTBackend(model, cores)


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
