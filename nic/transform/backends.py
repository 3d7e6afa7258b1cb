"""Running a model's transforms: native code or Keras behind one small interface.

Both give the same latents and pictures, except for the order of float additions. Native code gives
the same bits on every machine, starts at once and needs the least memory. Only Keras runs on a GPU.
"""

from typing import Any, Protocol

import numpy as np

from nic.errors import UsageError
from nic.models.zoo import Model
from nic.resources import cores
from nic.settings import BackendName
from nic.transform.tiles import Tiled
from nic.types import STRIDE, Floats, Pixels, depth_of

SMALL = 1 << 14  # pixels; for fewer ones further threads are not worth their start


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
