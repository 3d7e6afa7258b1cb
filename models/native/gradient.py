"""The synthesis transform of one picture, run forwards and backwards many times."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nic.models.native import REAL, Network, Signs
from nic.models.native.layers import Layer, Transform
from nic.types import STRIDE, Floats


class Synthesis:
    """Latents to pixels, and the slopes of a function of pixels to those of the same latents."""

    def __init__(self, transform: Transform, threads: int = 1) -> None:
        """``transform``: the synthesis. Raises ModelError."""
        forwards = with_signs(transform)
        self.threads = threads
        self._forwards = Network(forwards, analysis=False)
        self._backwards = Network(transposed(forwards), analysis=True)
        self._size = 0, 0  # width and height in pixels
        self._signs: Signs | None = None

    def decode(self, latents: Floats) -> Floats:
        """Pixels float32 (8h, 8w, 3) around [0, 1], not clipped, of latents float32 (C, h, w)."""
        size = STRIDE * latents.shape[2], STRIDE * latents.shape[1]
        if size != self._size:
            self._size, self._signs = size, Signs(self._forwards, *size)
        return self._run(self._forwards, latents)

    def slopes(self, of_pixels: Floats) -> Floats:
        """Slopes float32 (C, h, w) with respect to the latents that were last decoded.

        Args: of_pixels: float32 (8h, 8w, 3), the slopes with respect to their pixels.
        """
        return self._run(self._backwards, of_pixels)

    def _run(self, network: Network, rows: Floats) -> NDArray[Any]:
        return network.start(*self._size, 3, REAL, self.threads, self._signs).push(rows)


def with_signs(transform: Transform) -> Transform:
    """The same transform, whose activations keep their signs."""
    active = [i for i, layer in enumerate(transform.layers) if layer.slope != 1]
    layers = list(transform.layers)
    for number, i in enumerate(active):
        layers[i] = replace(layers[i], signs=number)
    return transform._replace(layers=tuple(layers))


def transposed(synthesis: Transform) -> Transform:
    """The network that computes the slopes of a synthesis, an analysis of slopes of pixels.

    Layer i of the synthesis makes tensor i + 1 of tensor i. Its transpose makes the slopes of
    tensor i. What was added to a tensor passes its slopes on, so these are added there. What an
    activation made smaller counts less, by the sign that it kept.

    Raises: ValueError for layers that no such network is the transpose of.
    """
    layers, count = list[Layer](), len(synthesis.layers)
    # Tensor j of the result has the slopes of tensor count - j.
    added = dict[int, int]()
    for i, layer in enumerate(synthesis.layers):
        if layer.skip is not None:
            added[layer.skip] = count - i - 1
            if layer.unfold != 1:
                raise ValueError("a sum that is unfolded has no transpose")
    for i in reversed(range(count)):
        turned, skip = _turned(synthesis.layers[i]), added.get(i)
        if i:
            before = synthesis.layers[i - 1]
            if skip is not None and before.slope != 1:
                raise ValueError("an activation that is also added elsewhere has no transpose")
            turned = replace(turned, slope=before.slope, signs=before.signs)
        layers.append(replace(turned, skip=skip))
    return Transform(tuple(layers), synthesis.scale, 0.0)


def _turned(layer: Layer) -> Layer:
    """A layer that maps slopes of outputs to slopes of inputs.

    Depth-to-space by f after a k x k convolution becomes a convolution of (kf x kf) with a stride
    of f, in which all kernels are turned by half a circle.
    """
    if layer.stride != 1 or len(layer.weights) % 2 == 0:
        raise ValueError("only odd kernels without a stride have a transpose")
    turned = layer.weights[::-1, ::-1]
    bias = np.zeros(layer.weights.shape[2], np.float32)
    if layer.is_depthwise:
        return Layer(np.ascontiguousarray(turned), bias)
    f, k = layer.unfold, len(turned)
    _, _, inputs, outputs = turned.shape
    split = turned.reshape(k, k, inputs, f, f, outputs // f**2)
    # (row, line, column, place in the line, output, input)
    kernel = split.transpose(0, 3, 1, 4, 5, 2).reshape(k * f, k * f, -1, inputs)
    return Layer(np.ascontiguousarray(kernel), bias, stride=f)
