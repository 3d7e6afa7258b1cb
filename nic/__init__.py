"""nic: a learned image codec made of composable Unix tools, and as a library.

::

    import nic

    data = nic.compress("photo.png", quality=50)  # or an array, a Pillow image, bytes
    pixels = nic.decompress(data)                 # uint8, or uint16 for a picture of 16 bits

These functions give the same bytes and pixels as the programs. ``import nic`` is fast: each
function imports what it needs. Models and networks are loaded once and kept for the next call.
``import nic.pillow`` registers the format with Pillow.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeAlias, TypeVar, overload

from nic.errors import NicError

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

    from nic.picture.metadata import Keep
    from nic.picture.pixels import Picture
    from nic.picture.sources import Source
    from nic.types import Depth

    Pixels: TypeAlias = NDArray[np.uint8 | np.uint16]
    Stream: TypeAlias = str | os.PathLike[str] | bytes

__version__ = "0.1.0"
__all__ = ["NicError", "compress", "decompress", "info", "latents", "networks", "thumbnail"]

T = TypeVar("T")

log = logging.getLogger("nic")


def compress(
    picture: "Source",
    *,
    quality: float | None = None,
    channels: int | None = None,
    alpha_quality: float | None = None,
    metadata: "Keep" = "all",
    effort: int = 1,
    target_bpp: float | None = None,
    target_size: float | None = None,
    target_psnr: float | None = None,
    target_ssimulacra2: float | None = None,
    strict: bool = False,
    **settings: Any,
) -> bytes:
    """Compress one picture, as ``nic compress`` does.

    Args:
        picture: uint8 or uint16 array (H, W), (H, W, 3), or with alpha last (H, W, 2) or
            (H, W, 4); a ``nic.picture.pixels.Picture``; a Pillow image; the path or the bytes of
            a picture file.
        quality: 1..100; None for the model's default.
        channels: how many leading latent channels are coded; None for all.
        alpha_quality: 1..100; None codes transparency exactly.
        metadata: the metadata to store: ``all``, ``icc`` (ICC profile and declared colour) or
            ``none``.
        effort: 1..9, of a search for better latents: fewer bytes at the same distortion, for more
            time. 1 is none.
        target_bpp, target_size: at most so many bits per pixel, or bytes. Give no quality then,
            and only one target.
        target_psnr: at least so many dB; likewise.
        target_ssimulacra2: at least this score, above 0 and at most 100; likewise. It needs the
            package ssimulacra2.
        strict: raise NicError when no quality meets the target; by default it is logged.
        settings: fields of ``nic.settings.Settings``: model, tune, backend, device, threads,
            max_pixels and others.
    Returns: a whole .nic file.
    Raises: a child of ``NicError``: UsageError for arguments, CorruptError for a damaged picture
        file, ModelError for a missing model. OSError when a file cannot be read.
    """
    import io

    from nic.codec import shared
    from nic.errors import UsageError
    from nic.format.records import write_record
    from nic.picture.sources import rows_of
    from nic.search.target import target_of
    from nic.settings import Encoding, Settings

    target = target_of(target_bpp, target_size, target_psnr, target_ssimulacra2)
    if target is not None and quality is not None:
        raise UsageError("give a quality or a target, not both")
    if strict and target is None:
        raise UsageError("strict needs a target")
    codec = shared(Settings(**settings))
    how = Encoding(quality, channels, None, alpha_quality, effort, metadata, target, strict)
    out = io.BytesIO()
    with rows_of(picture, codec.settings.strip_pixels, codec.limit, metadata) as rows:
        for record in codec.compress(rows, how):
            write_record(out, record)
    return out.getvalue()


@overload
def decompress(data: "Stream", *, full: Literal[False] = False, **options: Any) -> "Pixels": ...
@overload
def decompress(data: "Stream", *, full: Literal[True], **options: Any) -> "Picture": ...
def decompress(
    data: "Stream",
    *,
    full: bool = False,
    channels: Sequence[int] | None = None,
    tolerate: bool = False,
    metadata: "Keep" = "all",
    depth: "Depth | None" = None,
    **settings: Any,
) -> "Pixels | Picture":
    """Decompress one picture, as ``nic decompress`` does.

    Args:
        data: the bytes or the path of a .nic file, or of any stage before it.
        full: return the picture with alpha and metadata apart.
        channels: the latent channels to decode, such as ``range(16)``; None for all.
        tolerate: decode the intact part of a damaged file; the log says what is lost.
        metadata: the metadata to keep: ``all``, ``icc`` (ICC profile and declared colour) or
            ``none``.
        depth: bits per sample, 8 or 16; None for as many as the source of the file had.
        settings: fields of ``nic.settings.Settings``: backend, device, threads and others.
    Returns: uint8, or uint16 for 16 bits, (H, W) or (H, W, 3), or with alpha last (H, W, 2) or
        (H, W, 4). With ``full`` a ``nic.picture.pixels.Picture`` with the fields pixels, alpha and
        metadata.
    Raises: a child of ``NicError``: CorruptError for damaged data, UsageError when there is more
        than one picture, ModelError for a missing model. OSError when a file cannot be read.
    """
    from nic.codec import shared
    from nic.errors import UsageError
    from nic.format.salvage import Report
    from nic.picture.rows import joined
    from nic.settings import Decoding, Settings

    if depth not in (None, 8, 16):
        raise UsageError(f"a depth is 8 or 16, not {depth!r}")
    chosen = None if channels is None else tuple(sorted(set(channels)))
    decoding, report = Decoding(chosen, tolerate, metadata, depth), Report()
    with _opened(data) as source:
        codec = shared(Settings(**settings))
        pictures = codec.decode_stream(source, decoding, report)
        picture = _only(joined([strip for _, strip in strips]) for strips in pictures)
    for line in report.lines:
        log.warning("note: %s", line)
    return picture if full else picture.samples


def thumbnail(
    data: "Stream", *, scale: int = 8, size: int | None = None, **options: Any
) -> "Pixels":
    """A small version of one picture, as ``nic thumbnail`` makes it; loads no network.

    Args:
        data: the bytes or the path of a .nic file, or of any stage before it.
        scale: 8, 16 or 32: how many times smaller it is.
        size: the most pixels of its longest side, in place of a scale.
        options: fields of ``nic.settings.Settings``, such as max_pixels.
    Returns and raises: as ``decompress``.
    """
    from nic.codec import shared
    from nic.errors import UsageError
    from nic.preview.shrink import SCALES, Shrink
    from nic.preview.thumbnail import thumbnails
    from nic.settings import Settings

    if scale not in SCALES or (size is not None and size < 1):
        raise UsageError(f"a scale is one of {SCALES} and a size at least 1")
    with _opened(data) as source:
        codec = shared(Settings(**options))
        return _only(thumbnails(codec, source, Shrink(scale, size))).samples


def info(data: "Stream") -> list[dict[str, Any]]:
    """Facts about each record, as ``nic info --json`` prints them; loads no network.

    Args: data: the bytes or the path of a .nic file, or of any stage before it.
    Raises: CorruptError for damaged data, OSError when a file cannot be read.
    """
    from nic.format.describe import describe
    from nic.format.records import read_records

    with _opened(data) as source:
        return [describe(record) for record in read_records(source)]


def latents(picture: "Source", **settings: Any) -> "NDArray[np.float32]":
    """The latents of a picture, as ``nic latents`` writes them.

    Args: picture: as for ``compress``, or the path or the bytes of a .nic file. The latents of a
        .nic file are dequantized, without a network.
    Returns: float32 (h, w, C): h and w are an eighth of the picture's sides, rounded up.
    Raises: as ``compress`` and ``decompress``.
    """
    import io

    from nic.codec import shared
    from nic.format.records import MAGIC
    from nic.picture.sources import rows_of
    from nic.settings import Settings

    codec = shared(Settings(**settings))
    if isinstance(picture, (str, os.PathLike)):
        with open(picture, "rb") as file:
            picture = file.read()
    if isinstance(picture, bytes) and picture.startswith(MAGIC):
        return _only(codec.latents_of_stream(io.BytesIO(picture)))
    with rows_of(picture, codec.settings.strip_pixels, codec.limit) as rows:
        return codec.latents_of(rows)


def networks(model: str = "light-visual") -> "tuple[keras.Model, keras.Model]":
    """The analysis and the synthesis transform of an installed model, as Keras models.

    Args: model: a name that ``nic models`` shows.
    Returns: the analysis transform, float32 pictures (B, H, W, 3) in [0, 1] with sides that are
        multiples of 8 -> latents (B, H/8, W/8, C); and the synthesis transform, latents ->
        pictures that are not clipped.
    Raises: ModelError when the model or Keras is not installed.
    """
    from nic.models import zoo
    from nic.models.keras_backend import keras_networks

    return keras_networks(zoo.by_name(model))


def _only(found: Iterator[T]) -> T:
    """The only item. Raises UsageError when there are more."""
    from nic.errors import UsageError

    item = next(found)
    if next(found, None) is not None:
        raise UsageError("holds more than one picture")
    return item


def _opened(data: "Stream") -> BinaryIO:
    """A binary stream of the bytes, or of the file at the path."""
    import io

    if isinstance(data, (str, os.PathLike)):
        return open(data, "rb")
    return io.BytesIO(data)
