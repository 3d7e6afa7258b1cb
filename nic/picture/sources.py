"""Pictures in every form that the library accepts: an array, a Pillow image, a file."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from nic.errors import UsageError
from nic.limits import ANY, Limit
from nic.picture.metadata import Keep
from nic.picture.pixels import Picture
from nic.picture.readers import of_image
from nic.picture.rows import Rows, of_picture, open_picture
from nic.types import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

    Source: TypeAlias = Pixels | Picture | Image | str | os.PathLike[str] | bytes


@contextmanager
def rows_of(
    source: "Source", strip_pixels: int, limit: Limit = ANY, keep: Keep = "all"
) -> Iterator[Rows]:
    """The rows of a picture; a file stays open as long as they are read.

    Args:
        source: uint8 or uint16 array (H, W), or (H, W, C) with C of 1 to 4, alpha last; a
            ``Picture``; a Pillow image; the path or the bytes of a picture file.
        strip_pixels, limit, keep: as for ``nic.picture.rows.open_picture``.
    Raises: UsageError for an array of another type or shape; else as
        ``nic.picture.readers.read``.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield open_picture(io.BytesIO(source), strip_pixels, limit, keep)
    elif isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield open_picture(file, strip_pixels, limit, keep)
    else:
        whole = _picture(source, keep)
        yield of_picture(Picture(whole.pixels, whole.alpha, whole.metadata.only(keep)))


def _picture(source: Any, keep: Keep) -> Picture:
    if isinstance(source, Picture):
        if source.alpha is not None and source.alpha.dtype != source.pixels.dtype:
            kinds = f"{source.pixels.dtype} and {source.alpha.dtype}"
            raise UsageError(f"pixels and alpha are of different types, {kinds}")
        return source
    if hasattr(source, "getbands"):  # a Pillow image; Pillow need not be loaded to know
        return of_image(source, keep)
    samples = np.asarray(source)
    if samples.dtype.kind != "u" or samples.dtype.itemsize > 2:
        raise UsageError(
            f"an array of {samples.dtype} is not a picture; convert it to uint8 or uint16"
        )
    if not (samples.ndim == 2 or (samples.ndim == 3 and 1 <= samples.shape[2] <= 4)):
        raise UsageError(f"an array of shape {samples.shape} is not a picture")
    return Picture.of_samples(samples.astype(samples.dtype.newbyteorder("="), copy=False))
