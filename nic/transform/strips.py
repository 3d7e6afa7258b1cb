"""Large pictures in strips: records for some rows each, so that a stage need not hold them all.

A picture of more than ``nic.settings.Settings.strip_pixels`` pixels becomes several records, one
for each strip of rows. Strips are coded independently: the entropy coder and the prediction of the
DC-like channels start anew. A transform sees beyond a strip, as far as its *reach*. So a strip is
transformed with that much context above and below, and the result is cropped: it is what the
transform of the whole picture gives there.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from nic.errors import CorruptError
from nic.format.header import Header
from nic.format.strips import check_order, end, is_last
from nic.transform.backends import Backend
from nic.types import STRIDE, Floats, Pixels


class Strip(NamedTuple):
    """Rows ``top`` to ``bottom`` (exclusive) of a picture, with context for the analysis."""

    pixels: Pixels  # (rows, W[, 3]), context included
    top: int
    bottom: int
    above: int  # rows of latents that are context at the top
    below: int  # and at the bottom


def cut(read: Callable[[int], Pixels], height: int, rows: int, reach: int) -> Iterator[Strip]:
    """Cut a picture that is read from top to bottom into strips of ``rows`` rows.

    Only one strip and its context are held at a time.

    Args:
        read: gives the next n rows.
        reach: the reach of the analysis, in latents.
    """
    context = reach * STRIDE
    held = read(0)
    start = 0  # the row that ``held`` starts with
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        stop = min(bottom + context, height)
        missing = stop - start - len(held)
        if missing > 0:
            held = np.concatenate([held, read(missing)]) if len(held) else read(missing)
        below = -(-(stop - bottom) // STRIDE)
        yield Strip(held[: stop - start], top, bottom, (top - start) // STRIDE, below)
        keep = max(start, bottom - context)
        held, start = held[keep - start :], keep


def assemble(
    records: Iterator[tuple[Header, Floats]],
    transform: Callable[[Header], Backend],
    depth: int | None = None,
) -> Iterator[tuple[Header, Pixels]]:
    """Synthesis of strips, of one picture after the other: (header, latents) -> (header, pixels).

    Pixels have ``depth`` bits per sample, 8 or 16; None: those of the header. A strip waits until
    all latents below it that the synthesis sees have come, even from several strips.

    Raises: CorruptError when a strip is missing or out of order.
    """
    waiting: deque[tuple[Header, Floats]] = deque()
    above: Floats | None = None  # latents above the first strip that waits
    last: Header | None = None  # of the strip that was read last; None between pictures
    for header, latents in records:
        check_order(header, last)
        last = None if is_last(header) else header
        waiting.append((header, latents))
        reach = transform(header).reach[1]
        while waiting and (last is None or _rows_below(waiting) >= reach):
            first, own = waiting.popleft()
            above = own[:, :0] if above is None else above
            below = np.concatenate([own[:, :0], *(rows for _, rows in waiting)], 1)[:, :reach]
            bits = depth or first.bit_depth
            yield first, _synthesised(first, above, own, below, transform(first), bits)
            above = np.concatenate([above, own[:, -reach:]], 1)[:, -reach:]
        if last is None:
            above = None
    if last is not None:
        raise CorruptError(f"truncated: the picture's strips end at row {end(last)}")


def _rows_below(waiting: Sequence[tuple[Header, Floats]]) -> int:
    """Rows of latents of all strips that wait but the first."""
    return sum(int(latents.shape[1]) for _, latents in waiting) - int(waiting[0][1].shape[1])


def _synthesised(
    header: Header, above: Floats, latents: Floats, below: Floats, network: Backend, depth: int
) -> Pixels:
    """Pixels of a strip, given its latents and those above and below it."""
    grey = header.colour.name == "GREY"
    context = above.shape[1] + below.shape[1]
    every = np.concatenate([above, latents, below], 1) if context else latents
    pixels = network.synthesise(every, grey, depth)[above.shape[1] * STRIDE :]
    return pixels[: header.height, : header.width]
