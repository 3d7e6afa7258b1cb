"""Pictures to latents and back: padding, the analysis and the synthesis transform."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nic.errors import UsageError
from nic.header import MAX_PIXELS, MAX_SIDE, STRIDE, Colour, Header
from nic.stream import Record, Stage

Pixels = NDArray[np.uint8]  # (H, W, 3) colour or (H, W) grey


class Transform(Protocol):
    """What this stage needs of a backend."""

    def analysis(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """Picture (H, W, 3) in [0, 1] -> latents (H/8, W/8, C)."""

    def synthesis(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        """Latents (h, w, C) -> picture (8h, 8w, 3)."""


def encode(
    pixels: Pixels,
    transform: Transform,
    model: tuple[str, str],
    quality: float | None = None,
    channels: int | None = None,
    name: str | None = None,
) -> Record:
    """Transform a picture of any size from 1x1 up.

    Args:
        pixels: uint8 (H, W, 3), or (H, W) for grey.
        model: name and id of the model behind ``transform``.
        quality, channels: recorded for the quantizer.
        name: recorded for the tools that follow.
    Returns: a record of float32 latents (h, w, C).
    Raises: UsageError when there are over 2^30 pixels, or a side has over 2^24.
    """
    height, width = pixels.shape[:2]
    if not 0 < width * height <= MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise UsageError(f"pictures of {width}x{height} pixels cannot be coded")
    colour = Colour.GREY if pixels.ndim == 2 else Colour.RGB
    rgb = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    margins = ((0, -height % STRIDE), (0, -width % STRIDE), (0, 0))
    padded = np.pad(rgb, margins, mode="symmetric")
    latents = transform.analysis(padded.astype(np.float32) / np.float32(255))
    header = Header(
        width=width,
        height=height,
        colour=colour,
        model=model[1],
        model_name=model[0],
        channels=channels or latents.shape[2],
        latent_channels=latents.shape[2],
        quality=quality,
        name=name,
        history=("encode",),
    )
    return Record(Stage.LATENTS, header, np.ascontiguousarray(latents, "<f4").tobytes())


def decode(record: Record, transform: Transform) -> Pixels:
    """Inverse of ``encode``: a record of latents -> uint8 (H, W, 3), or (H, W) for grey."""
    latents = np.frombuffer(record.data, "<f4").reshape(record.header.latent_shape)
    picture = transform.synthesis(latents)[: record.header.height, : record.header.width]
    if record.header.colour == Colour.GREY:
        picture = picture.mean(axis=2)
    return np.asarray(np.rint(np.clip(picture, 0, 1) * np.float32(255)), np.uint8)
