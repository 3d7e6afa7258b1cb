"""The transforms of a model as lists of layers, from its definition and weights, without Keras.

The lists say the same as ``nic.models.networks`` and ``nic.models.dcn``, which train the weights.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nic.errors import ModelError
from nic.models.model import Model
from nic.types import STRIDE

Weights = NDArray[np.float32]
LEAKY = 0.2  # slope of the reference family's leaky ReLU


@dataclass(frozen=True)
class Layer:
    """One convolution and what follows it; see transform.h.

    Attributes:
        weights: float32 (k, k, inputs, outputs), or (k, k, channels) of a depthwise layer.
        bias: float32 (outputs,).
        skip: number of the tensor that is added; None for none.
        slope: of the leaky ReLU for negative values; 1 for none.
        signs: number of the set of signs that the activation keeps or follows; None for none.
        unfold: factor of depth-to-space.
    """

    weights: Weights
    bias: Weights
    stride: int = 1
    unfold: int = 1
    skip: int | None = None
    slope: float = 1.0
    signs: int | None = None

    @property
    def is_depthwise(self) -> bool:
        """Whether every channel has a kernel of its own."""
        return self.weights.ndim == 3


class Transform(NamedTuple):
    """A list of layers, and the scale and offset of pixels in [0, 1] at its end with pixels."""

    layers: tuple[Layer, ...]
    scale: float
    offset: float


def transform_of(model: Model, name: str) -> Transform:
    """The transform "analysis" or "synthesis" of a model. Raises ModelError."""
    make = MAKERS[model.is_reference, name]
    try:
        return make(_List(model.weights(name)), model.definition.get("transform", {}))
    except KeyError as error:
        raise ModelError(f"model {model.name}: {error.args[0]} is missing") from error


class _List:
    """Layers in the making; numbers of tensors are numbers of layers made so far."""

    def __init__(self, weights: dict[str, Weights]) -> None:
        self.weights, self.layers = weights, list[Layer]()

    @property
    def now(self) -> int:
        """Number of the tensor that the last layer made."""
        return len(self.layers)

    def dense(
        self, name: str, stride: int = 1, unfold: int = 1, skip: int | None = None,
        slope: float = 1.0, scale: float = 1.0,
    ) -> None:  # fmt: skip
        kernel, bias = self.weights[f"{name}/kernel"], self.weights[f"{name}/bias"]
        if scale != 1:
            kernel, bias = kernel * np.float32(scale), bias * np.float32(scale)
        self.layers.append(Layer(kernel, bias, stride, unfold, skip, slope))

    def depthwise(self, name: str) -> None:
        kernel = np.ascontiguousarray(self.weights[f"{name}/kernel"][..., 0])
        self.layers.append(Layer(kernel, self.weights[f"{name}/bias"]))

    def activate(self, slope: float) -> None:
        """An activation by itself: a depthwise kernel of one tap."""
        channels = self.layers[-1].weights.shape[-1] // self.layers[-1].unfold ** 2
        one = np.ones((1, 1, channels), np.float32)
        self.layers.append(Layer(one, np.zeros(channels, np.float32), slope=slope))

    def block(self, name: str) -> None:
        """A residual block of the default family."""
        skip = self.now
        self.depthwise(f"{name}_depthwise")
        self.dense(f"{name}_expand", slope=0.0)
        self.dense(f"{name}_project", skip=skip)

    def dcn_block(self, number: int, skip: int) -> None:
        """A residual block of the reference family."""
        self.dense(f"block{number}_first", slope=LEAKY)
        self.dense(f"block{number}_second", skip=skip)


def _analysis(layers: _List, table: dict[str, int]) -> Transform:
    layers.dense("patches", stride=STRIDE)
    for i in range(table["analysis_blocks"]):
        layers.block(f"block{i}")
    layers.dense("latents")
    return Transform(tuple(layers.layers), 1.0, -0.5)


def _synthesis(layers: _List, table: dict[str, int]) -> Transform:
    layers.dense("embed")
    for i in range(table["synthesis_blocks"]):
        layers.block(f"block{i}")
    layers.dense("patches", unfold=4)
    for i in range(table["half_blocks"]):
        layers.block(f"half_block{i}")
    layers.dense("pixels", unfold=2)
    return Transform(tuple(layers.layers), 1.0, 0.5)


def _dcn_analysis(layers: _List, _: dict[str, int]) -> Transform:
    layers.dense("half", stride=2, slope=LEAKY)
    layers.dense("quarter", stride=2)
    for i in range(3):
        skip = layers.now
        if i == 0:
            layers.activate(LEAKY)
        layers.dcn_block(i, skip)
    layers.dense("latents", stride=2, scale=layers.weights["scale/scale"].item())
    return Transform(tuple(layers.layers), 2.0, -1.0)


def _dcn_synthesis(layers: _List, _: dict[str, int]) -> Transform:
    layers.dense("embed", unfold=2)
    for i in range(3):
        layers.dcn_block(i, layers.now)
    layers.dense("half", unfold=2, slope=LEAKY)
    layers.dense("pixels", unfold=2)
    return Transform(tuple(layers.layers), 0.5, 0.5)


def dcn_of_random_weights(name: str, channels: int) -> Transform:
    """The transform "analysis" or "synthesis" of the reference family, untrained, to be timed."""
    rng = np.random.default_rng(0)
    width = 128
    sizes = {
        f"block{i}_{part}": (3, width, width) for i in range(3) for part in ("first", "second")
    }
    if name == "analysis":
        sizes |= {"half": (5, 3, 64), "quarter": (5, 64, width), "latents": (5, width, channels)}
    else:
        sizes |= {"embed": (3, channels, 4 * width), "half": (3, width, 2 * width)}
        sizes |= {"pixels": (3, width // 2, 12)}
    weights: dict[str, Weights] = {"scale/scale": np.ones((), np.float32)}
    for layer, (k, inputs, outputs) in sizes.items():
        deviation = (k * k * inputs) ** -0.5
        kernel = rng.normal(0, deviation, (k, k, inputs, outputs))
        weights[f"{layer}/kernel"] = kernel.astype(np.float32)
        weights[f"{layer}/bias"] = np.zeros(outputs, np.float32)
    return MAKERS[True, name](_List(weights), {})


MAKERS = {
    (False, "analysis"): _analysis,
    (False, "synthesis"): _synthesis,
    (True, "analysis"): _dcn_analysis,
    (True, "synthesis"): _dcn_synthesis,
}
