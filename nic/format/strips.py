"""Strips: a large picture becomes several records, each some of its rows, from top to bottom."""

from nic.errors import CorruptError
from nic.format.header import Header

STRIP_ROWS = 16  # rows of a strip are a multiple of this, so that no block of 2x2 latents is cut


def strip_rows(width: int, height: int, pixels: int) -> int:
    """How many rows a strip has; all rows if the picture has at most ``pixels`` pixels."""
    if width * height <= pixels:
        return height
    return max(STRIP_ROWS, pixels // width // STRIP_ROWS * STRIP_ROWS)


def check_order(header: Header, after: Header | None) -> None:
    """Raises CorruptError unless the strip of ``header`` follows the strip of ``after``.

    ``after`` None: unless it begins a picture.
    """
    top, whole = header.strip or (0, header.height)
    due = 0 if after is None else end(after)
    fits = after is None or (
        (after.width, after.colour, after.bit_depth, after.model, (after.strip or (0, 0))[1])
        == (header.width, header.colour, header.bit_depth, header.model, whole)
        and after.latent_channels == header.latent_channels
    )
    if top != due or not fits:
        raise CorruptError(f"a strip that starts at row {top} comes where row {due} is due")


def end(header: Header) -> int:
    """The row after the last row of a record, counted in the whole picture."""
    return (header.strip[0] if header.strip else 0) + header.height


def is_last(header: Header) -> bool:
    """Whether the picture ends with this record."""
    return header.strip is None or end(header) == header.strip[1]
