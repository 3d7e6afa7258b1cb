"""Latents to symbols and back: gain, rounding, prediction, codebook.

Quality decides only the quantizer's step of each channel, not the networks. So the latents of a
picture can be quantized at any quality.
"""

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nic.errors import UsageError
from nic.format.channels import latents as latents_of
from nic.format.records import Record, Stage
from nic.quantize import excess
from nic.quantize.prediction import Planes, differences, reconstruct, residuals


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


AT_A_TIME = 1 << 16  # latents that are rounded at a time, so that their floats stay in the cache

Beyond = tuple[NDArray[np.int64], NDArray[np.int64]]  # places (n,) and amounts (n,)


def quantize(
    record: Record, model: Quantizer, quality: float | None = None, channels: int | None = None
) -> Record:
    """Quantize a record of latents: float32 (C, h, w) -> int8 symbols (channels, h, w).

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
    coded, beyond = _coded(latents_of(record)[:channels], model.gain(quality)[:channels], model)
    header = record.header.after(
        "quantize", quality=float(quality), channels=channels, codebook=model.codebook
    )
    symbols = coded.tobytes()
    return replace(record, stage=Stage.SYMBOLS, header=header, data=symbols, excess=beyond)


def _coded(
    latents: NDArray[np.float32], gain: NDArray[np.float32], model: Quantizer
) -> tuple[NDArray[np.int8], bytes]:
    """Symbols int8 (channels, h, w) of latents (channels, h, w) and gains (channels,), and chunk X.

    Raises: UsageError when a latent is not finite.
    """
    predicted = _kept(model.predicted, len(latents))
    others = [c for c in range(len(latents)) if c not in predicted]
    symbols = np.empty(latents.shape, np.int8)
    beyond: list[Beyond] = []
    step = max(1, AT_A_TIME // latents[0].size)
    for first in range(0, len(others), step):
        some = others[first : first + step]
        values = _rounded(latents[some], gain[some])
        beyond += _take(symbols, some, values, model.codebook)
    planes = _rounded(latents[predicted], gain[predicted]).astype(np.int32)
    if not model.has_excess:
        symbols[predicted] = residuals(planes, model.codebook)
        return symbols, b""
    beyond += _take(symbols, predicted, differences(planes), model.codebook)
    if not beyond:
        return symbols, b""
    places, amounts = (np.concatenate(parts) for parts in zip(*beyond, strict=True))
    return symbols, excess.pack(symbols, places, amounts, model.codebook)


def _rounded(latents: NDArray[np.float32], gain: NDArray[np.float32]) -> NDArray[np.float32]:
    """Latents (n, h, w) times their gains (n,), rounded. Raises UsageError if not finite."""
    with np.errstate(over="ignore", invalid="ignore"):  # refused below
        scaled = latents * gain[:, None, None]
        np.rint(scaled, out=scaled)
    if not np.isfinite(scaled).all():
        raise UsageError("the latents are not finite numbers")
    return np.clip(scaled, -excess.LIMIT, excess.LIMIT, out=scaled)


def _take(
    symbols: NDArray[np.int8],
    channels: list[int],
    values: NDArray[np.float32] | Planes,
    codebook: tuple[int, int],
) -> list[Beyond]:
    """Set the symbols of some channels to integers (n, h, w), clipped to the codebook.

    Returns: the flat places of clipped symbols and by how much they were clipped, if there are any.
    """
    low, high = codebook
    if low <= values.min(initial=low) and values.max(initial=high) <= high:
        symbols[channels] = values
        return []
    inside = np.clip(values, low, high)
    symbols[channels] = inside
    among, y, x = np.nonzero(values != inside)
    amounts = (values - inside)[among, y, x].astype(np.int64)
    return [(np.ravel_multi_index((np.array(channels)[among], y, x), symbols.shape), amounts)]


def dequantize(record: Record, model: Quantizer) -> Record:
    """Inverse of ``quantize``: a record of latents, float32 (C, h, w); dropped channels are zero.

    Raises: CorruptError when chunk X does not decode.
    """
    h, w, latent_channels = record.header.latent_shape
    channels = record.header.channels
    symbols: NDArray[Any] = np.frombuffer(record.data, np.int8).reshape(channels, h, w)
    if record.excess:
        symbols = excess.add(symbols, record.excess, record.header.codebook)
    predicted = _kept(model.predicted, channels)
    step = model.step(record.header.quality or model.default_quality)[:, None, None]
    values = np.zeros((latent_channels, h, w), "<f4")
    np.multiply(symbols, step[:channels], out=values[:channels], dtype=np.float32)
    values[predicted] = reconstruct(symbols[predicted]).astype(np.float32) * step[predicted]
    data = values.reshape(-1).view(np.uint8).data
    return replace(record, stage=Stage.LATENTS, data=data, excess=b"")


def _kept(predicted: tuple[int, ...], channels: int) -> list[int]:
    return [c for c in predicted if c < channels]
