"""The transforms in C: rows in, rows out, with the same bits on every processor.

transform.h describes the networks, the arithmetic and the passes.
"""

import os
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nic.errors import ModelError, NicError, UsageError
from nic.models.native._transform import ffi, lib
from nic.models.native.layers import Transform
from nic.models.native.work import aligned, together
from nic.types import STRIDE

VARIABLE = "NIC_ISA"  # names the instruction set to use, for tests and reports
REAL = 32  # bits of samples that are floats
SAMPLES = {8: np.uint8, 16: np.uint16, REAL: np.float32}


class Isa(IntEnum):
    """Instruction sets, best first."""

    AVX512 = lib.TRANSFORM_AVX512
    AVX2 = lib.TRANSFORM_AVX2
    PORTABLE = lib.TRANSFORM_PORTABLE


def isa() -> Isa:
    """The instruction set to use: the best one, or the one that NIC_ISA names.

    Raises: UsageError when there is no such set, or this processor does not have it.
    """
    best, name = Isa(lib.transform_best()), os.environ.get(VARIABLE, "")
    if not name:
        return best
    known = {each.name.lower(): each for each in Isa}
    if name not in known:
        raise UsageError(f"{VARIABLE} is {name!r}; use {', '.join(known)}")
    if known[name] < best:
        raise UsageError(f"{VARIABLE} is {name}, which this processor does not have")
    return known[name]


class Network:
    """One transform, ready to run."""

    def __init__(self, transform: Transform, analysis: bool) -> None:
        """``analysis``: pixels to latents; else latents to pixels.

        Raises: ModelError for layers that the library does not run.
        """
        self.is_analysis = analysis
        self.channels = transform.layers[-1].weights.shape[-1]  # of an analysis
        self._transform = transform
        self._layers = ffi.new("transform_layer[]", len(transform.layers))
        for given, layer in zip(self._layers, transform.layers, strict=True):
            depthwise = layer.is_depthwise
            given.kind = lib.TRANSFORM_DEPTHWISE if depthwise else lib.TRANSFORM_DENSE
            given.size, given.stride, given.unfold = len(layer.weights), layer.stride, layer.unfold
            given.inputs = layer.weights.shape[-1 if depthwise else 2]
            given.outputs = len(layer.bias)
            given.skip = -1 if layer.skip is None else layer.skip
            given.slope = layer.slope
            given.signs = -1 if layer.signs is None else layer.signs
            given.weights = ffi.from_buffer("float[]", layer.weights)
            given.bias = ffi.from_buffer("float[]", layer.bias)
        size = ffi.new("size_t *")
        network, picture = self._network(8), _picture(STRIDE, STRIDE, 3, 8)
        if lib.transform_size(network, picture, 1, size) != lib.TRANSFORM_OK:
            raise ModelError("the model's layers are none that this version of nic runs")

    def start(
        self, width: int, height: int, colours: int, depth: int, threads: int = 1,
        signs: "Signs | None" = None,
    ) -> "Pass":  # fmt: skip
        """Begin a pass over a picture of ``depth`` bits per sample; 32: float32 in [0, 1].

        Args: signs: what the activations of a synthesis keep, and those of an analysis follow.
        """
        shape = width, height, colours, depth
        return Pass(self, self._network(depth), shape, threads, signs)

    def _network(self, depth: int) -> Any:
        _, scale, offset = self._transform
        peak = 1 if depth == REAL else (1 << depth) - 1
        if self.is_analysis:
            way, scale = lib.TRANSFORM_ANALYSIS, scale / peak
        else:
            way, scale, offset = lib.TRANSFORM_SYNTHESIS, scale * peak, offset * peak
        values = (way, self._layers, len(self._layers), scale, offset, ffi.NULL)
        return ffi.new("transform_network *", values)


class Signs:
    """The signs of a picture's values before the activations of a synthesis; see transform.h."""

    def __init__(self, synthesis: Network, width: int, height: int) -> None:
        size = ffi.new("size_t *")
        picture = _picture(width, height, 3, REAL)
        _check(lib.transform_signs(synthesis._network(REAL), picture, size))
        self.data = ffi.new("unsigned char[]", size[0])


def _picture(width: int, height: int, colours: int, depth: int) -> Any:
    return ffi.new("transform_picture *", (width, height, colours, depth))[0]


class Pass:
    """A picture on its way through a network, from top to bottom."""

    def __init__(
        self, network: Network, given: Any, shape: tuple[int, int, int, int], threads: int,
        signs: Signs | None = None,
    ) -> None:  # fmt: skip
        self._network, self._given, self._signs = network, given, signs  # also to keep them alive
        self._threads = threads
        if signs is not None:
            given.signs = signs.data
        self._width, self._height, self._colours, self._depth = shape
        picture, size = _picture(*shape), ffi.new("size_t *")
        _check(lib.transform_size(given, picture, threads, size))
        self._arena = aligned(size[0])
        state = ffi.new("transform_state **")
        arena = ffi.from_buffer("char[]", self._arena)
        _check(lib.transform_start(arena, given, picture, threads, isa(), state))
        self._state = state[0]

    @property
    def memory(self) -> int:
        """Bytes that the pass needs beside its input and output."""
        return len(self._arena)

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give the next rows; return what is ready.

        Args: rows: of an analysis: uint8 or uint16 (R, W) or (R, W, 3), R a multiple of 8 but at
            the end. Of a synthesis: float32 (C, R, w).
        Returns: float32 (C, R', w), or uint8 or uint16 (R', W[, 3]); R' may be 0.
        """
        rows = np.ascontiguousarray(rows)
        count = rows.shape[0 if self._network.is_analysis else 1]
        ready = lib.transform_rows(self._state, count)
        out = self._output(ready)
        source, target = ffi.from_buffer(rows), ffi.from_buffer(out)
        _check(lib.transform_push(self._state, source, count, target))
        together(self._threads, self._share, rows, out)
        return out

    def _share(self, number: int) -> None:
        lib.transform_work(self._state, number)

    def _output(self, rows: int) -> NDArray[Any]:
        if self._network.is_analysis:
            columns = -(-self._width // STRIDE)
            return np.empty((self._network.channels, rows, columns), np.float32)
        shape = (rows, self._width, 3) if self._colours == 3 else (rows, self._width)
        return np.empty(shape, SAMPLES[self._depth])


def _check(result: int) -> None:
    if result == lib.TRANSFORM_NO_ISA:
        raise UsageError(f"{VARIABLE} names an instruction set that this processor does not have")
    if result != lib.TRANSFORM_OK:
        raise NicError(f"the transform failed ({result})")
