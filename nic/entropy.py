"""Symbols to coded channels and back: every channel by itself, in the mode that is shortest.

Symbols are mapped to ranks 0, 1, 2, ... by growing magnitude (0, -1, 1, -2, 2, ...), which
makes the table header of a Laplacian plane a third shorter. With a model's prior, every 2x2
latents get a class, coded first, that chooses the tables of all channels; given the class
map the channels are still independent. No network and no float takes part in decoding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

import nic.fse as fse
from nic import channelmode, classmap
from nic.errors import CorruptError, UsageError
from nic.header import BY_CLASS, Channel, Mode
from nic.models import tables
from nic.models.tables import Prior
from nic.stream import Record, Stage

MIDDLE_QUALITY = 50.0  # for symbols that do not say theirs

Bytes = NDArray[np.uint8]
Coded = tuple[Mode, bytes]
Histogram = NDArray[np.uint32]  # of ranks


class Coder(StrEnum):
    """What channels of more than one symbol are coded with."""

    AUTO = "auto"  # whatever is shortest
    PRIOR = "prior"  # the model's tables
    OWN = "own"  # a table of their own
    FSE = "fse"  # ... as the reference writes it
    RAW = "raw"  # five bits a symbol
    ZSTD = "zstd"


def encode(
    record: Record, prior: Prior | None = None, coder: Coder = Coder.AUTO, threads: int = 1
) -> Record:
    """Code a record of symbols: int8 (channels, h, w) -> payloads and their index.

    Args:
        prior: tables of the record's model; None codes every channel with its own.
        threads: the bytes are the same for any number of them.
    Raises: CorruptError when a symbol is outside the codebook, UsageError when ``coder`` asks
        for what is not there.
    """
    planes = to_ranks(record)
    histograms = fse.histograms(planes, channelmode.RANKS)
    coded = {c: done for c, h in enumerate(histograms) if (done := channelmode.constant(h))}
    left = [c for c in range(len(planes)) if c not in coded]
    class_map = b""
    if coder == Coder.PRIOR and prior is None:
        raise UsageError("the model has no tables of its own; use another coder")
    if left and prior is not None and coder in (Coder.AUTO, Coder.PRIOR):
        quality = record.header.quality or MIDDLE_QUALITY
        class_map, payloads = _with_prior(planes, left, prior, quality, threads)
        coded |= payloads
    for c in left:
        if coder == Coder.AUTO:
            coded[c] = _shortest(planes[c].ravel(), histograms[c], coded.get(c))
        elif coder != Coder.PRIOR:
            coded[c] = _by_itself(planes[c].ravel(), histograms[c], coder)
    if coder == Coder.AUTO and class_map:
        coded, class_map = _if_it_pays(planes, histograms, coded, class_map)
    index = tuple(Channel(mode, len(payload)) for mode, payload in _in_order(coded))
    header = record.header.after("entropy", index=index)
    data = b"".join(payload for _, payload in _in_order(coded))
    return replace(record, stage=Stage.CODED, header=header, data=data, class_map=class_map)


def decode(record: Record, prior: Prior | None = None, threads: int = 1) -> Record:
    """Inverse of ``encode``. Raises CorruptError, which names the damaged channel."""
    _, value = _ranks(record.header.codebook)
    h, w, _ = record.header.latent_shape
    index, ends = record.header.index, np.cumsum([e.size for e in record.header.index])
    payloads = [bytes(record.data[end - e.size : end]) for e, end in zip(index, ends, strict=True)]
    ranks = np.empty((len(index), h, w), np.uint8)
    if not record.class_map and any(entry.mode in BY_CLASS for entry in index):
        raise CorruptError("the class map is missing")
    if record.class_map:
        which, of_block = classmap.decode(record.class_map, prior, h, w)
        assert prior is not None  # or the map would have been refused
        classes = _Classes(prior, which, tables.spread(of_block, h, w))
        for mode in BY_CLASS:
            chosen = [c for c, entry in enumerate(index) if entry.mode == mode]
            if chosen:
                ranks[chosen] = classes.decode(mode, [payloads[c] for c in chosen], chosen, threads)
    for c, entry in enumerate(index):
        if entry.mode not in BY_CLASS:
            ranks[c] = _decode_channel(entry.mode, payloads[c], c, (h, w))
    if ranks.size and ranks.max() >= len(value):
        damaged = int(np.flatnonzero((ranks >= len(value)).any(axis=(1, 2)))[0])
        raise CorruptError(f"channel {damaged} is damaged: symbols outside the codebook")
    header = record.header.after("entropy -d", index=())
    return Record(Stage.SYMBOLS, header, value[ranks].tobytes(), record.extra)


def to_ranks(record: Record) -> Bytes:
    """Ranks uint8 (channels, h, w) of a record of symbols. Raises CorruptError."""
    h, w, _ = record.header.latent_shape
    symbols = np.frombuffer(record.data, np.int8).reshape(record.header.channels, h, w)
    low, high = record.header.codebook
    if symbols.min() < low or symbols.max() > high:
        raise CorruptError(f"symbols outside the codebook {low}..{high}")
    rank, _ = _ranks(record.header.codebook)
    return rank[symbols.view(np.uint8)]


def _ranks(codebook: tuple[int, int]) -> tuple[Bytes, NDArray[np.int8]]:
    """Rank of every symbol (indexed by its byte), and the symbol of every rank."""
    low, high = codebook
    value = np.array(sorted(range(low, high + 1), key=lambda v: (abs(v), v > 0)), np.int8)
    rank = np.zeros(256, np.uint8)
    rank[value.view(np.uint8)] = np.arange(len(value))
    return rank, value


def _in_order(coded: dict[int, Coded]) -> list[Coded]:
    return [coded[c] for c in sorted(coded)]


# -- one channel by itself --------------------------------------------------------------------


def _by_itself(ranks: Bytes, histogram: Histogram, coder: Coder) -> Coded:
    if coder == Coder.RAW:
        return channelmode.raw(ranks)
    if coder == Coder.ZSTD:
        return channelmode.zstd(ranks)
    return (channelmode.reference if coder == Coder.FSE else channelmode.own)(ranks, histogram)


def _shortest(ranks: Bytes, histogram: Histogram, best: Coded | None) -> Coded:
    """The shortest of ``best``, an own table, and raw; nothing is coded that cannot win."""
    size = len(best[1]) if best else ranks.size
    if channelmode.bound(histogram) < size:
        candidate = channelmode.own(ranks, histogram)
        best = candidate if best is None or len(candidate[1]) < size else best
    if best is None or channelmode.raw_size(ranks.size) < len(best[1]):
        best = channelmode.raw(ranks)
    return best


def _decode_channel(mode: Mode, payload: bytes, channel: int, shape: tuple[int, int]) -> Bytes:
    try:
        return channelmode.decode(mode, payload, shape[0] * shape[1]).reshape(shape)
    except (IndexError, ValueError) as error:
        raise CorruptError(f"channel {channel} is damaged: {error}") from error


# -- all channels, given the class map --------------------------------------------------------


@dataclass(frozen=True)
class _Classes:
    """The class of every latent (h, w), with the tables that follow from it."""

    prior: Prior
    which: int
    of_latent: Bytes

    def encode(self, mode: Mode, planes: Bytes, channels: list[int], threads: int) -> list[bytes]:
        arguments = self._coding(mode, channels)
        return fse.encode_planes(planes[channels], *arguments, threads=threads)

    def decode(
        self, mode: Mode, payloads: Sequence[bytes], channels: list[int], threads: int
    ) -> Bytes:
        tables_of, bank, layout = self._coding(mode, channels)
        try:
            if mode == Mode.PRIOR:
                return self._decode_two_states(payloads, tables_of, bank)
            return fse.decode_planes(payloads, tables_of, bank, layout, threads=threads)
        except fse.PlaneError as error:
            damaged = channels[error.plane]
            raise CorruptError(f"channel {damaged} is damaged: {error.reason}") from error

    def _coding(self, mode: Mode, channels: list[int]) -> tuple[Bytes, fse.Bank, fse.Layout]:
        by_context = mode == Mode.CONTEXT
        if by_context and not self.prior.has_contexts:
            raise CorruptError("a channel is coded by contexts that the model does not have")
        context = fse.Context.ENERGY if by_context else fse.Context.CLASS
        tables_of = self.prior.of_channels(self.which, channels[-1] + 1, by_context)[channels]
        shape = (self.of_latent.shape[0], self.of_latent.shape[1])
        layout = fse.Layout(shape, self.of_latent, self.prior.classes, context)
        counts = self.prior.counts
        return tables_of, classmap.bank_of(counts.tobytes(), counts.shape[1]), layout

    def _decode_two_states(
        self, payloads: Sequence[bytes], tables_of: Bytes, bank: fse.Bank
    ) -> Bytes:
        ranks = np.empty((len(payloads), *self.of_latent.shape), np.uint8)
        for i, payload in enumerate(payloads):
            plane = np.ascontiguousarray(tables_of[i, :, 0][self.of_latent])
            try:
                ranks[i] = fse.decode_ctx(payload, plane, bank).reshape(plane.shape)
            except fse.FseError as error:
                raise fse.PlaneError(i, error) from error
        return ranks


def _with_prior(
    planes: Bytes, channels: list[int], prior: Prior, quality: float, threads: int
) -> tuple[bytes, dict[int, Coded]]:
    """Chunk M, and the channels coded by it, with contexts where the prior has them.

    The set of tables is the one made for the nearest rate point.
    """
    _, h, w = planes.shape
    which = round((quality - 1) / 99 * (len(prior.tables) - 1))
    of_block = classmap.choose(planes, prior, which)
    classes = _Classes(prior, which, tables.spread(of_block, h, w))
    mode = Mode.CONTEXT if prior.has_contexts else Mode.CLASS
    payloads = classes.encode(mode, planes, channels, threads)
    coded = {c: (mode, payload) for c, payload in zip(channels, payloads, strict=True)}
    return classmap.encode(of_block, prior, which), coded


def _if_it_pays(
    planes: Bytes, histograms: Histogram, coded: dict[int, Coded], class_map: bytes
) -> tuple[dict[int, Coded], bytes]:
    """Everything as it is, or without the class map where that is shorter."""
    with_map = {c for c, (mode, _) in coded.items() if mode in BY_CLASS}
    least = sum(channelmode.bound(histograms[c]) for c in with_map)
    size = len(class_map) + sum(len(coded[c][1]) for c in with_map)
    if least >= size:
        return coded, class_map
    plain = {c: _shortest(planes[c].ravel(), histograms[c], None) for c in with_map}
    if sum(len(payload) for _, payload in plain.values()) >= size:
        return coded, class_map
    return coded | plain, b""
