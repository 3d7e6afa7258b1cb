"""Pictures to latents and back: the analysis and the synthesis transform."""

import numpy as np

from nic.errors import UsageError
from nic.format.channels import latents as latents_of
from nic.format.header import MAX_PIXELS, MAX_SIDE, Colour, Header
from nic.format.records import Record, Stage
from nic.transform.backends import Backend
from nic.transform.strips import Strip, strip_of
from nic.types import Pixels


def encode(
    pixels: Pixels,
    transform: Backend,
    model: tuple[str, str],
    quality: float | None = None,
    channels: int | None = None,
    name: str | None = None,
) -> Record:
    """Transform a picture of any size from 1x1 up.

    Args:
        pixels: uint8 or uint16 (H, W, 3), or (H, W) for grey.
        model: name and id of the model of ``transform``.
        quality, channels: recorded in the header, for the quantizer.
        name: recorded in the header, for the tools that follow.
    Returns: a record of latents, float32 (C, h, w).
    Raises: UsageError when the picture has more than 2^30 pixels or a side of more than 2^24.
    """
    height, width = pixels.shape[:2]
    check_size(width, height)
    check_one_piece(width, height)
    whole = strip_of(pixels, transform.analyse(pixels), 0, height)
    return encode_strip(whole, None, model, quality, channels, name)


def check_size(width: int, height: int) -> None:
    """Raises UsageError for a picture that no file can hold: empty, or with a side too long."""
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise UsageError(f"pictures of {width}x{height} pixels cannot be coded")


def check_one_piece(width: int, height: int) -> None:
    """Raises UsageError for a picture that needs several records."""
    if width * height > MAX_PIXELS:
        raise UsageError(f"pictures of {width}x{height} pixels cannot be coded in one piece")


def encode_strip(
    strip: Strip,
    height: int | None,
    model: tuple[str, str],
    quality: float | None = None,
    channels: int | None = None,
    name: str | None = None,
) -> Record:
    """The record of a strip of a picture of ``height`` rows; None: the strip is the picture."""
    count = len(strip.latents)
    header = Header(
        width=strip.width,
        height=strip.bottom - strip.top,
        strip=None if height is None else (strip.top, height),
        colour=Colour.GREY if strip.is_grey else Colour.RGB,
        model=model[1],
        model_name=model[0],
        bit_depth=strip.depth,
        channels=channels or count,
        latent_channels=count,
        quality=quality,
        name=name,
        history=("encode",),
    )
    data = np.ascontiguousarray(strip.latents, "<f4").reshape(-1).view(np.uint8).data
    return Record(Stage.LATENTS, header, data)


def decode(record: Record, transform: Backend) -> Pixels:
    """Inverse of ``encode``: a record of latents -> pixels (H, W, 3), or (H, W) for grey.

    They are uint8 or uint16, by the bit depth of the header.
    """
    grey = record.header.colour == Colour.GREY
    picture = transform.synthesise(latents_of(record), grey, record.header.bit_depth)
    return picture[: record.header.height, : record.header.width]
