"""Latents to symbols and back: gain, rounding, prediction, codebook.

Quality decides only the quantizer's step of each channel, not the networks. So the latents of a
picture can be quantized at any quality.
"""

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nic.errors import UsageError
from nic.format.records import Record, Stage
from nic.quantize import excess
from nic.quantize.prediction import differences, reconstruct, residuals


class Quantizer(Protocol):
    """The part of a model that this stage needs."""

    @property
    def default_quality(self) -> float:
        """The quality when none is given."""

    @property
    def predicted(self) -> tuple[int, ...]:
        """Channels that are predicted from decoded neighbours."""

    @property
    def codebook(self) -> tuple[int, int]:
        """Least and greatest symbol."""

    @property
    def has_excess(self) -> bool:
        """Whether values beyond the codebook are kept as excess; if not, they are clipped."""

    def gain(self, quality: float) -> NDArray[np.float32]:
        """Factors (C,) of latents before rounding."""

    def step(self, quality: float) -> NDArray[np.float32]:
        """Factors (C,) of rounded latents, which give latents back."""


BAND = 64  # rows of latents that are rounded at a time, as floats take much memory


def quantize(
    record: Record, model: Quantizer, quality: float | None = None, channels: int | None = None
) -> Record:
    """Quantize a record of latents: float32 (h, w, C) -> int8 symbols (channels, h, w).

    Args:
        quality: 1..100; None for the quality in the record's header, or else the model's default.
        channels: how many leading channels to keep; None for the number in the record's header.
    Raises: UsageError when an argument is out of range or the latents are not finite.
    """
    if quality is None:
        quality = record.header.quality or model.default_quality
    quality = round(quality, 2)  # as in a packed header: the decoder must use the same quality
    channels = record.header.channels if channels is None else channels
    if not 1 <= quality <= 100:
        raise UsageError(f"quality {quality:g} is not in 1..100")
    if not 1 <= channels <= record.header.latent_channels:
        raise UsageError(
            f"cannot use {channels} channels; there are {record.header.latent_channels}"
        )
    latents = np.frombuffer(record.data, "<f4").reshape(record.header.latent_shape)
    coded, beyond = _coded(latents[..., :channels], model.gain(quality)[:channels], model)
    header = record.header.after(
        "quantize", quality=float(quality), channels=channels, codebook=model.codebook
    )
    symbols = coded.tobytes()
    return replace(record, stage=Stage.SYMBOLS, header=header, data=symbols, excess=beyond)


def _coded(
    latents: NDArray[np.float32], gain: NDArray[np.float32], model: Quantizer
) -> tuple[NDArray[np.int8], bytes]:
    """Symbols int8 (channels, h, w) of latents (h, w, channels) and gains (channels,), and chunk X.

    Raises: UsageError when a latent is not finite.
    """
    h, w, channels = latents.shape
    low, high = model.codebook
    predicted = _kept(model.predicted, channels)
    symbols = np.empty((channels, h, w), np.int8)
    planes = np.empty((len(predicted), h, w), np.int32)
    places, beyond = [], []
    for top in range(0, h, BAND):
        rows = slice(top, min(top + BAND, h))
        scaled = _rounded(latents[rows], gain)
        inside = np.clip(scaled, low, high)
        symbols[:, rows] = inside.transpose(2, 0, 1)
        limited = np.clip(scaled[..., predicted], -excess.LIMIT, excess.LIMIT)
        planes[:, rows] = limited.transpose(2, 0, 1)
        inside[..., predicted] = scaled[..., predicted]  # for these the residuals have the excess
        y, x, c = np.nonzero(scaled != inside)
        kept = np.clip(scaled[y, x, c], -excess.LIMIT, excess.LIMIT)
        places.append(np.ravel_multi_index((c, y + top, x), symbols.shape))
        beyond.append(kept - inside[y, x, c])
    if not model.has_excess:
        symbols[predicted] = residuals(planes, model.codebook)
        return symbols, b""
    exact = differences(planes)
    symbols[predicted] = np.clip(exact, low, high)
    among, *cells = np.nonzero(exact != symbols[predicted])
    at = np.array(predicted, int)[among], *cells
    places.append(np.ravel_multi_index(at, symbols.shape))
    beyond.append(exact[among, *cells] - symbols[at])
    every = np.concatenate(beyond).astype(np.int64)
    return symbols, excess.pack(symbols, np.concatenate(places), every, model.codebook)


def _rounded(latents: NDArray[np.float32], gain: NDArray[np.float32]) -> NDArray[np.float32]:
    """Latents (h, w, channels) times their gains, rounded. Raises UsageError if not finite."""
    with np.errstate(over="ignore", invalid="ignore"):  # refused below
        scaled = latents * gain
        np.rint(scaled, out=scaled)
    if not np.isfinite(scaled).all():
        raise UsageError("the latents are not finite numbers")
    return scaled


def dequantize(record: Record, model: Quantizer) -> Record:
    """Inverse of ``quantize``: a record of latents, float32 (h, w, C); dropped channels are zero.

    Raises: CorruptError when chunk X does not decode.
    """
    h, w, latent_channels = record.header.latent_shape
    channels = record.header.channels
    symbols: NDArray[Any] = np.frombuffer(record.data, np.int8).reshape(channels, h, w)
    if record.excess:
        symbols = excess.add(symbols, record.excess, record.header.codebook)
    predicted = _kept(model.predicted, channels)
    latents = np.zeros((h, w, latent_channels), np.float32)
    latents[..., :channels] = symbols.transpose(1, 2, 0)
    latents[..., predicted] = reconstruct(symbols[predicted]).transpose(1, 2, 0)
    latents *= model.step(record.header.quality or model.default_quality)
    return replace(record, stage=Stage.LATENTS, data=latents.tobytes(), excess=b"")


def _kept(predicted: tuple[int, ...], channels: int) -> list[int]:
    return [c for c in predicted if c < channels]
