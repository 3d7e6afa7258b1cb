"""The start of the reference family: its transforms as a DCT and its inverse.

The network, its quantizer and its loss are those of the reference; only the first weights are
chosen. From random weights the same quality takes many times as long.

A leaky ReLU f of slope a loses nothing if a value x comes with -x: f(x) - f(-x) = (1 + a) x. With a
stride of 2 and padding "same", the taps 1 and 2 of a 5x5 kernel are the 2x2 block itself. So three
such layers gather the 2x2, 4x4 and 8x8 samples of a block, and the last one is the DCT. The
synthesis spreads them again by depth-to-space. Weights without a part in this keep a share of their
random start.
"""

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from nic.models.dcn import BLOCKS, RGB, SLOPE, WIDTH, SoftRateDistortion, tradeoff
from nic.models.networks import dct_order
from nic.types import CODEBOOK

QUARTER = 4  # samples a side of the blocks of the second layer
HALF = 2  # and of the first one
SAMPLES = QUARTER * QUARTER * RGB
PAIRS = HALF * HALF * RGB  # samples of a 2x2 block, each with its negative
QUIET = 0.05  # what is kept of random weights
FINE = 26.0  # squared step of samples 0..255, times the tradeoff, which trains fastest

Kernel = NDArray[np.float32]


def start_as_dct(model: SoftRateDistortion, patches: NDArray[np.uint8]) -> None:
    """Set both transforms, in place, to the DCT filters of most variance and their inverse.

    Args: patches: uint8 (B, H, W, 3), sides multiples of 8, which decide the variances.
    """
    filters = dct_order(patches)[0][: model.latents]  # (D, 8, 8, 3)
    steps = _steps(filters, tradeoff(model.latents))
    for network in (model.analysis, model.synthesis):
        for i in range(BLOCKS):
            second = network.get_layer(f"block{i}_second").kernel
            second.assign(second * QUIET)
    _start_analysis(model.analysis, filters / steps[:, None, None, None])
    _start_synthesis(model.synthesis, filters * steps[:, None, None, None])


def _steps(filters: NDArray[np.float64], weight: float) -> Kernel:
    """Steps (D,) of the filters' coefficients, for samples in [-1, 1].

    The DC filters, whose coefficients have all values, get a step with which none is clipped.
    """
    fine = np.sqrt(FINE / weight) * 2 / 255
    low, high = CODEBOOK
    reach = np.abs(filters.sum(axis=(1, 2))).sum(axis=1)  # greatest coefficient of DC, else 0
    return np.asarray(np.maximum(fine, 2 * reach / (high - low)), np.float32)


def _start_analysis(network: keras.Model, filters: NDArray[np.float64]) -> None:
    half, quarter, last = (_quiet(network, name) for name in ("half", "quarter", "latents"))
    half[..., : 2 * PAIRS] = 0
    quarter[..., :SAMPLES] = 0
    last[:, :, :SAMPLES] = 0
    for row, column in np.ndindex(HALF, HALF):
        tap = 1 + row, 1 + column
        for colour in range(RGB):
            one = _place(row, column, colour, HALF)
            half[(*tap, colour, one)], half[(*tap, colour, PAIRS + one)] = 1, -1
        for y, x, colour in np.ndindex(HALF, HALF, RGB):
            one = _place(y, x, colour, HALF)
            sample = _place(HALF * row + y, HALF * column + x, colour, QUARTER)
            quarter[(*tap, one, sample)] = 1 / (1 + SLOPE)
            quarter[(*tap, PAIRS + one, sample)] = -1 / (1 + SLOPE)
        part = filters[:, QUARTER * row :, QUARTER * column :][:, :QUARTER, :QUARTER]
        last[(*tap, slice(SAMPLES))] = part.reshape(len(filters), SAMPLES).T
    _assign(network, half=half, quarter=quarter, latents=last)


def _start_synthesis(network: keras.Model, filters: NDArray[np.float64]) -> None:
    embed, half, pixels = (_quiet(network, name) for name in ("embed", "half", "pixels"))
    width = half.shape[3] // HALF**2  # channels after the second unfolding
    pixels[:, :, : 2 * PAIRS] = 0
    for row, column in np.ndindex(HALF, HALF):
        group = HALF * row + column
        into = slice(group * WIDTH, group * WIDTH + SAMPLES)
        part = filters[:, QUARTER * row :, QUARTER * column :][:, :QUARTER, :QUARTER]
        embed[..., into] = 0
        embed[1, 1, :, into] = part.reshape(len(filters), SAMPLES)
        half[..., group * width : group * width + 2 * PAIRS] = 0
        for y, x, colour in np.ndindex(HALF, HALF, RGB):
            one = group * width + _place(y, x, colour, HALF)
            sample = _place(HALF * row + y, HALF * column + x, colour, QUARTER)
            half[1, 1, sample, one], half[1, 1, sample, PAIRS + one] = 1, -1
    for one in range(PAIRS):
        pixels[1, 1, one, one] = 1 / (1 + SLOPE)
        pixels[1, 1, PAIRS + one, one] = -1 / (1 + SLOPE)
    _assign(network, embed=embed, half=half, pixels=pixels)


def _place(y: int, x: int, colour: int, side: int) -> int:
    """The channel of a sample of a block, in the order of depth-to-space."""
    return (y * side + x) * RGB + colour


def _quiet(network: keras.Model, name: str) -> Kernel:
    kernel = ops.convert_to_numpy(network.get_layer(name).kernel)
    return np.array(kernel * QUIET, np.float32)


def _assign(network: keras.Model, **kernels: Kernel) -> None:
    for name, kernel in kernels.items():
        network.get_layer(name).kernel.assign(kernel)
