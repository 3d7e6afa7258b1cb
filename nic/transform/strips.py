"""Large pictures in strips: records for some rows each, so that a stage need not hold them all.

A picture of more than ``nic.settings.Settings.strip_pixels`` pixels becomes several records, one
for each strip of rows. Strips are coded independently: the entropy coder and the prediction of the
DC-like channels start anew. The transforms run over all of them in one pass, so a strip has the
latents and the pixels that it has in the whole picture.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nic.errors import CorruptError
from nic.format.header import Colour, Header
from nic.format.strips import check_order, end, is_last
from nic.transform.backends import Backend, Pass
from nic.types import STRIDE, Depth, Floats, Pixels, depth_of

AT_ONCE = 1 << 20  # pixels that are read and analysed at a time


class Strip(NamedTuple):
    """The latents of rows ``top`` to ``bottom`` (exclusive) of a picture."""

    latents: Floats  # (C, h, w)
    top: int
    bottom: int
    width: int
    is_grey: bool
    depth: Depth


def analysed(
    read: Callable[[int], Pixels], width: int, height: int, rows: int, transform: Backend
) -> Iterator[Strip]:
    """Analysis of a picture that is read from top to bottom, in strips of ``rows`` rows.

    Unless it is one strip, only a few rows of pixels are held at a time.

    Args: read: gives the next n rows.
    """
    if rows >= height:
        pixels = read(height)
        yield strip_of(pixels, transform.analyse(pixels), 0, height)
        return
    at_once = max(1, AT_ONCE // (width * STRIDE)) * STRIDE
    latents, done = _Queue(1), 0
    network: Pass | None = None
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        h = -(-(bottom - top) // STRIDE)
        while latents.count < h:
            pixels = read(min(at_once, height - done))
            done += len(pixels)
            if network is None:
                network = transform.start_analysis((height, *pixels.shape[1:]), depth_of(pixels))
            latents.put(network.push(pixels))
        yield strip_of(pixels, latents.take(h), top, bottom)


def strip_of(pixels: Pixels, latents: Floats, top: int, bottom: int) -> Strip:
    """The strip of rows ``top`` to ``bottom``; ``pixels`` are of the width and kind of all."""
    return Strip(latents, top, bottom, pixels.shape[1], pixels.ndim == 2, depth_of(pixels))


def assemble(
    records: Iterator[tuple[Header, Floats]],
    transform: Callable[[Header], Backend],
    depth: int | None = None,
) -> Iterator[tuple[Header, Pixels]]:
    """Synthesis of strips, of one picture after the other: (header, latents) -> (header, pixels).

    Latents are float32 (C, h, w). A strip waits until all latents below it that the synthesis sees
    have come, even from several strips.

    Args: depth: bits per sample of the pixels, 8 or 16; None for those of the header.
    Returns: pixels uint8 or uint16 (H, W, 3), or (H, W) for grey.
    Raises: CorruptError when a strip is missing or out of order.
    """
    waiting: deque[Header] = deque()
    pixels, network = _Queue(0), None
    last: Header | None = None  # of the strip that was read last; None between pictures
    for header, latents in records:
        check_order(header, last)
        if header.strip is None:
            yield header, _whole(header, latents, transform(header), depth)
            continue
        if last is None or network is None:
            network = _start(header, header.strip[1], transform(header), depth)
            pixels = _Queue(0)
        last = None if is_last(header) else header
        waiting.append(header)
        pixels.put(network.push(latents))
        while waiting and pixels.count >= waiting[0].height:
            first = waiting.popleft()
            yield first, pixels.take(first.height)[:, : first.width]
    if last is not None:
        raise CorruptError(f"truncated: the picture's strips end at row {end(last)}")


def _whole(header: Header, latents: Floats, network: Backend, depth: int | None) -> Pixels:
    pixels = network.synthesise(latents, _is_grey(header), depth or header.bit_depth)
    return pixels[: header.height, : header.width]


def _start(header: Header, height: int, network: Backend, depth: int | None) -> Pass:
    """Begin the synthesis of a picture of ``height`` rows whose first strip has this header."""
    shape = -(-height // STRIDE), header.latent_shape[1]
    return network.start_synthesis(shape, _is_grey(header), depth or header.bit_depth)


def _is_grey(header: Header) -> bool:
    return header.colour == Colour.GREY


class _Queue:
    """Arrays that come in parts of any length along one axis, and are taken in other parts."""

    def __init__(self, axis: int) -> None:
        self._axis = axis
        self._parts: deque[NDArray[Any]] = deque()
        self.count = 0  # how much has come and was not taken

    def put(self, part: NDArray[Any] | None) -> None:
        """Add what comes next; None is nothing."""
        if part is not None:
            self._parts.append(part)
            self.count += part.shape[self._axis]

    def take(self, count: int) -> Any:
        """The next ``count``, which must have come."""
        taken, self.count = list[NDArray[Any]](), self.count - count
        while count:
            part = self._parts.popleft()
            first, rest = np.split(part, [min(count, part.shape[self._axis])], self._axis)
            count -= first.shape[self._axis]
            taken.append(first)
            if rest.size:
                self._parts.appendleft(rest)
        return taken[0] if len(taken) == 1 else np.concatenate(taken, self._axis)
