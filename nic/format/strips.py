"""Strips: the records that a large picture becomes, from top to bottom."""

from nic.errors import CorruptError
from nic.format.header import Header

STRIP_ROWS = 16  # a strip's rows are a multiple: no class of 2x2 latents is cut


def strip_rows(width: int, height: int, pixels: int) -> int:
    """Rows of a strip: all of a picture that has no more than ``pixels``."""
    if width * height <= pixels:
        return height
    return max(STRIP_ROWS, pixels // width // STRIP_ROWS * STRIP_ROWS)


def check_order(header: Header, after: Header | None) -> None:
    """Raises CorruptError unless ``header`` is that of the strip to come ``after`` another.

    None stands for the beginning of a picture.
    """
    top, whole = header.strip or (0, header.height)
    due = 0 if after is None else end(after)
    fits = after is None or (
        (after.width, after.colour, after.model, (after.strip or (0, 0))[1])
        == (header.width, header.colour, header.model, whole)
        and after.latent_channels == header.latent_channels
    )
    if top != due or not fits:
        raise CorruptError(f"a strip that starts at row {top} comes where row {due} is due")


def end(header: Header) -> int:
    """The row after the last one of a record."""
    return (header.strip[0] if header.strip else 0) + header.height


def is_last(header: Header) -> bool:
    """Whether the picture ends with this record."""
    return header.strip is None or end(header) == header.strip[1]
