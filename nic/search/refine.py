"""Refining the latents of a picture for one quality, window by window.

``nic.models.refiner`` describes the search in one window. Windows bound the memory. Each window
has *context* around its latents: latents that are not changed, but that the synthesis transform
needs to give the pixels that a decoder will give.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nic.entropy.coding import costs as code_lengths
from nic.errors import UsageError
from nic.format.records import Record
from nic.loader import Loader
from nic.models.keras_backend import Window
from nic.quantize.rounding import quantize
from nic.search.context import Strip
from nic.transform.tiles import Span, spans, unit
from nic.types import STRIDE, Floats

SIDE = 96  # latents a side, without context: activations and gradients take a gigabyte
DEAREST = 20.0  # bits: the cost of symbols that cannot be coded; finite, so that it has a slope

Classes = NDArray[np.uint8]


@dataclass(frozen=True)
class Costs:
    """The rate-distortion cost of latents at one quality, in bits.

    Attributes:
        classes: (h, w), the class of every latent.
        lengths: (K, C, S), code length of every symbol by class and channel, in bits.
        step: (C,), factors of rounded latents.
        tradeoff: the bits that one unit of squared error of [0, 1] pixels is worth.
    """

    classes: Classes
    lengths: Floats
    step: Floats
    tradeoff: float


def refined(record: Record, strip: Strip, loader: Loader, steps: int) -> Record:
    """A record of latents, changed to cost less at its quality.

    Args:
        strip: what the record was made from, with its context.
        steps: steps of gradient descent.
    Raises: UsageError when the model has no tables, or the picture is too small for the measure
        that the model was trained for.
    """
    model = loader.model(record.header)
    if not model.has_prior:
        raise UsageError(f"model {model.name} has no tables; latents cannot be refined without")
    symbols = quantize(record, model)
    quality, channels = symbols.header.quality, symbols.header.channels
    assert quality is not None  # the quantizer sets it
    classes, lengths = code_lengths(symbols, model.prior)
    costs = Costs(classes, lengths, model.step(quality), model.tradeoff(quality))
    gain = model.gain(quality)
    scaled = np.moveaxis(strip.latents, 0, -1) * gain
    scaled[..., channels:] = 0
    network, reach = loader.refiner(model), model.reach[1]
    latents = refine(strip, scaled, costs, reach, lambda window: network.refine(window, steps))
    header = record.header.after("refine", quality=quality)
    planes = np.moveaxis(latents / gain, -1, 0)
    return replace(record, header=header, data=planes.astype("<f4").tobytes())


def refine(
    strip: Strip, latents: Floats, costs: Costs, reach: int, run: Callable[[Window], Floats]
) -> Floats:
    """Refine the latents of a strip, or of a whole picture.

    Windows are refined row by row. Each has the refined latents of earlier windows as context.

    Args:
        strip: the pixels of the strip, with context.
        latents: (h, w, C) in units of the quantizer's step, context included.
        costs: what latents cost. Only the channels that it has code lengths for are refined.
        reach: how far the synthesis transform sees, in latents.
        run: gives the refined latents of one window; all windows have the same shape.
    Returns: (h', w, C), the latents of the strip without its context.
    """
    h, w, channels = latents.shape
    latents = latents.copy()
    last = h - strip.below
    missing = ((0, 0), (0, channels - costs.lengths.shape[1]), (0, 0))
    lengths = np.pad(np.minimum(costs.lengths, DEAREST), missing).ravel()
    coded = np.arange(channels) < costs.lengths.shape[1]
    classes = np.pad(costs.classes, ((strip.above, strip.below), (0, 0))).astype(np.int32)
    for y, x in windows(h, w, reach):
        here = slice(y.start, y.stop), slice(x.start, x.stop)
        free = np.zeros(latents[here].shape, np.float32)
        inside = slice(max(y.first, strip.above) - y.start, max(0, min(y.last, last) - y.start))
        free[inside, x.crop(1)] = coded
        if free.any():
            pixels = strip.pixels[tuple(slice(s.start * STRIDE, s.stop * STRIDE) for s in here)]
            picture = unit(pixels)
            counted = np.zeros((*picture.shape[:2], 1), np.float32)
            counted[: pixels.shape[0], : pixels.shape[1]] = 1
            inputs = {
                "picture": picture,
                "counted": counted,
                "free": free,
                "classes": classes[here],
                "lengths": lengths,
                "step": costs.step,
                "tradeoff": np.array([costs.tradeoff], np.float32),
            }
            latents[here] = run(Window(latents[here], inputs))
    return latents[strip.above : last]


def windows(h: int, w: int, reach: int) -> Iterator[tuple[Span, Span]]:
    """Yield spans of rows and columns; with context all windows have the same size.

    A network is compiled for each size, so there is only one. At an edge of the picture there is
    no context on one side, and there is more on the other.
    """
    across = _of_one_size(w, reach)
    for rows in _of_one_size(h, reach):
        for columns in across:
            yield rows, columns


def _of_one_size(length: int, reach: int) -> list[Span]:
    cut = spans(length, SIDE, reach)
    size = min(length, max(span.last - span.first for span in cut) + 2 * reach)
    starts = [min(span.start, length - size) for span in cut]
    return [
        span._replace(start=start, stop=start + size)
        for span, start in zip(cut, starts, strict=True)
    ]
