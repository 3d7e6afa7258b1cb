"""Running a model's transforms: native code or Keras behind one small interface.

Both give the same latents and pictures, except for the order of float additions. Native code gives
the same bits on every machine, starts at once and needs the least memory. Only Keras runs on a GPU.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nic.errors import UsageError
from nic.models.zoo import Model
from nic.resources import cores
from nic.settings import BackendName, runs_on_keras
from nic.transform.tiles import Tiled, spans
from nic.types import STRIDE, Floats, Pixels, depth_of

COLUMNS = 1024  # latents in a row; a pass needs 28 MB for them, 89 with the reference network
SMALL = 1 << 14  # pixels; for fewer ones further threads are not worth their start


class Pass(Protocol):
    """A transform on its way over a picture, from top to bottom."""

    def push(self, rows: NDArray[Any]) -> NDArray[Any] | None:
        """Give the next rows; return those that are ready, if any. After the last row, all are.

        Args: rows: of an analysis: pixels (R, W[, 3]), R a multiple of 8 but at the end. Of a
            synthesis: latents (C, R, w).
        Returns: latents (C, R', w), or pixels (8R', 8w[, 3]); R' may be 0.
        """


class Backend(Protocol):
    """Both transforms of one model, loaded when first used."""

    @property
    def reach(self) -> tuple[int, int]:
        """How far each transform sees, in latents: (analysis, synthesis)."""

    def analyse(self, pixels: Pixels) -> Floats:
        """Pixels (H, W[, 3]), uint8 or uint16 -> latents (C, h, w).

        Sides are filled up to multiples of 8 by mirroring.
        """

    def synthesise(self, latents: Floats, grey: bool, depth: int) -> Pixels:
        """Latents (C, h, w) -> pixels (8h, 8w, 3), or (8h, 8w) for ``grey``.

        Pixels are uint8, or uint16 if ``depth`` is 16.
        """

    def start_analysis(self, shape: tuple[int, ...], depth: int) -> Pass:
        """``analyse`` for pixels of this shape, (H, W[, 3]), that come a few rows at a time."""

    def start_synthesis(self, shape: tuple[int, int], grey: bool, depth: int) -> Pass:
        """``synthesise`` for latents (C, h, w) that come a few rows at a time; shape (h, w)."""


def load(
    model: Model, backend: BackendName = "auto", device: str = "auto", threads: int | None = None
) -> Backend:
    """The backend for a model: native code, or what is asked for; Keras for a GPU.

    Args:
        device: ``auto``, ``cpu``, ``gpu`` or ``gpu:N``.
        threads: of a transform; None for one per processor.
    Raises: UsageError for a device that the backend or the machine does not have, ModelError
        when Keras is not installed.
    """
    if runs_on_keras(backend, device):
        from nic.models.keras_backend import KerasBackend

        return Tiled(KerasBackend(model, device, threads))
    if device.startswith("gpu"):
        raise UsageError(f"the {backend} backend runs on the CPU; use --backend keras for a GPU")
    return NativeBackend(model, threads)


class NativeBackend:
    """The transforms in C; see transform.h.

    A pass needs some kilobytes for each column of latents. So a very wide picture that is there as
    a whole is transformed in parts of about ``COLUMNS`` latents. Each part has as much context as
    the transform sees, so it gives the bits of one pass.
    """

    def __init__(self, model: Model, threads: int | None = None) -> None:
        self._model = model
        self._threads = threads
        self._networks: dict[str, Any] = {}

    @property
    def reach(self) -> tuple[int, int]:
        """See ``Backend``."""
        return self._model.reach

    def analyse(self, pixels: Pixels) -> Floats:
        """See ``Backend``."""
        columns = spans(-(-pixels.shape[1] // STRIDE), COLUMNS, self.reach[0])
        parts = [
            self._analysed(pixels[:, part.start * STRIDE : part.stop * STRIDE])[..., part.crop(1)]
            for part in columns
        ]
        latents: Floats = _joined(parts, 2)
        return latents

    def synthesise(self, latents: Floats, grey: bool, depth: int) -> Pixels:
        """See ``Backend``."""
        columns = spans(latents.shape[2], COLUMNS, self.reach[1])
        parts = [
            self._synthesised(latents[..., part.start : part.stop], grey, depth)[
                :, part.crop(STRIDE)
            ]
            for part in columns
        ]
        pixels: Pixels = _joined(parts, 1)
        return pixels

    def start_analysis(self, shape: tuple[int, ...], depth: int) -> Pass:
        """See ``Backend``."""
        return self._start("analysis", shape[1], shape[0], 3 if len(shape) == 3 else 1, depth)

    def start_synthesis(self, shape: tuple[int, int], grey: bool, depth: int) -> Pass:
        """See ``Backend``."""
        h, w = shape
        return self._start("synthesis", STRIDE * w, STRIDE * h, 1 if grey else 3, depth)

    def _analysed(self, pixels: Pixels) -> Any:
        return self.start_analysis(pixels.shape, depth_of(pixels)).push(pixels)

    def _synthesised(self, latents: Floats, grey: bool, depth: int) -> Any:
        return self.start_synthesis(latents.shape[1:], grey, depth).push(latents)

    def _layers(self, name: str) -> Any:
        from nic.models.native.layers import transform_of

        return transform_of(self._model, name)

    def _start(self, name: str, width: int, height: int, colours: int, depth: int) -> Pass:
        if name not in self._networks:
            from nic.models.native import Network

            self._networks.setdefault(name, Network(self._layers(name), name == "analysis"))
        threads = (self._threads or cores()) if width * height > SMALL else 1
        network: Pass = self._networks[name].start(width, height, colours, depth, threads)
        return network


def _joined(parts: list[Any], axis: int) -> Any:
    """One array; a single part is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis)
