"""Symbols to coded channels and back: every channel by itself, in the mode that is shortest.

Symbols are mapped to ranks 0, 1, 2, ... by growing magnitude (0, -1, 1, -2, 2, ...), which
makes the table header of a Laplacian plane a third shorter. With a model's prior, every 2x2
latents get a class, coded first, that chooses the tables of all channels; given the class
map the channels are still independent. No network and no float takes part in decoding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

import nic.fse as fse
from nic.errors import CorruptError
from nic.header import Channel, Mode
from nic.models import tables
from nic.models.tables import Prior
from nic.stream import Record, Stage

RAW_BITS = 5  # a codebook has at most 32 values
MIDDLE_QUALITY = 50.0  # for symbols that do not say theirs

Bytes = NDArray[np.uint8]
Coded = tuple[Mode, bytes]


def encode(record: Record, prior: Prior | None = None) -> Record:
    """Code a record of symbols: int8 (channels, h, w) -> payloads and their index.

    Args: prior: tables of the record's model; None codes every channel with its own.
    Raises: CorruptError when a symbol is outside the codebook.
    """
    planes = to_ranks(record)
    plain = [_encode_channel(plane.ravel()) for plane in planes]
    class_map = b""
    if prior is not None:
        plain, class_map = _with_prior(
            planes, plain, prior, record.header.quality or MIDDLE_QUALITY
        )
    index = tuple(Channel(mode, len(payload)) for mode, payload in plain)
    header = record.header.after("entropy", index=index)
    data = b"".join(payload for _, payload in plain)
    return replace(record, stage=Stage.CODED, header=header, data=data, class_map=class_map)


def decode(record: Record, prior: Prior | None = None) -> Record:
    """Inverse of ``encode``. Raises CorruptError, which names the damaged channel."""
    _, value = _ranks(record.header.codebook)
    h, w, _ = record.header.latent_shape
    classes = _decode_map(record, prior) if record.class_map else None
    symbols = np.empty((record.header.channels, h * w), np.int8)
    at = 0
    for c, entry in enumerate(record.header.index):
        payload = bytes(record.data[at : at + entry.size])
        at += entry.size
        try:
            if entry.mode == Mode.PRIOR and classes is not None:
                ranks = fse.decode_ctx(payload, classes.plane(c), classes.bank)
            else:
                ranks = _decode_channel(entry.mode, payload, h * w)
            symbols[c] = value[ranks]
        except (fse.FseError, IndexError, ValueError) as error:
            raise CorruptError(f"channel {c} is damaged: {error}") from error
    header = record.header.after("entropy -d", index=())
    return Record(Stage.SYMBOLS, header, symbols.tobytes(), record.extra)


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


# -- one channel by itself --------------------------------------------------------------------


def _encode_channel(ranks: Bytes) -> Coded:
    """The shortest of the modes for one plane of ranks (n,)."""
    histogram = np.bincount(ranks)
    if histogram.max() == ranks.size:
        value = len(histogram) - 1
        return (Mode.CONSTANT, bytes([value])) if value else (Mode.EMPTY, b"")
    table = fse.Table.from_counts(histogram)
    coded = table.header() + fse.encode(ranks, table)
    if len(coded) < -(-ranks.size * RAW_BITS // 8):
        return Mode.FSE, coded
    bits = np.unpackbits(ranks[:, None], axis=1)[:, -RAW_BITS:]
    return Mode.RAW, np.packbits(bits).tobytes()


def _decode_channel(mode: Mode, payload: bytes, n: int) -> Bytes:
    """Ranks (n,) of one plane. Raises ValueError or FseError."""
    if mode == Mode.FSE:
        table, used = fse.Table.from_header(payload, max_symbol=2**RAW_BITS - 1)
        return np.asarray(fse.decode(payload[used:], n, table))
    expected = {Mode.EMPTY: 0, Mode.CONSTANT: 1, Mode.RAW: -(-n * RAW_BITS // 8)}[mode]
    if len(payload) != expected:
        raise ValueError(f"{len(payload)} bytes where {expected} are due")
    if mode == Mode.EMPTY:
        return np.zeros(n, np.uint8)
    if mode == Mode.CONSTANT:
        return np.full(n, payload[0], np.uint8)
    bits = np.unpackbits(np.frombuffer(payload, np.uint8), count=n * RAW_BITS)
    weights = 1 << np.arange(RAW_BITS)[::-1]
    return np.asarray(bits.reshape(n, RAW_BITS) @ weights, np.uint8)


# -- all channels, given the class map --------------------------------------------------------


@dataclass(frozen=True)
class _Classes:
    """The class of every latent, with the tables that follow from it."""

    of_latent: Bytes  # (h, w)
    tables: Bytes  # (K, C)
    bank: fse.Bank

    def plane(self, channel: int) -> Bytes:
        """The table of every latent (h * w,) of a channel."""
        return np.ascontiguousarray(self.tables[:, channel][self.of_latent].ravel())


def _with_prior(
    planes: Bytes, plain: Sequence[Coded], prior: Prior, quality: float
) -> tuple[list[Coded], bytes]:
    """Code what gets shorter by class: the channels, and the payload of chunk M.

    The set of tables is the one made for the nearest rate point. The map is worth it only if
    it saves more than it takes; else all stays ``plain``.
    """
    _, h, w = planes.shape
    best = round((quality - 1) / 99 * (len(prior.tables) - 1))
    of_block = tables.choose(planes, prior, best)
    context = fse.causal_plane(of_block, prior.contexts[best])
    class_map = bytes([best]) + fse.encode_ctx(of_block, context, _map_bank(prior, best))
    classes = _Classes(tables.spread(of_block, h, w), prior.tables[best], _bank(prior))
    coded = [
        min(by_itself, _encode_by_class(plane, classes, c), key=lambda coded: len(coded[1]))
        for c, (plane, by_itself) in enumerate(zip(planes, plain, strict=True))
    ]
    saved = sum(len(a[1]) - len(b[1]) for a, b in zip(plain, coded, strict=True))
    return (coded, class_map) if saved > len(class_map) else (list(plain), b"")


def _encode_by_class(plane: Bytes, classes: _Classes, channel: int) -> Coded:
    payload = fse.encode_ctx(plane.ravel(), classes.plane(channel), classes.bank)
    return Mode.PRIOR, payload


def _decode_map(record: Record, prior: Prior | None) -> _Classes:
    """The classes that chunk M holds. Raises CorruptError."""
    h, w, _ = record.header.latent_shape
    which, payload = record.class_map[0], record.class_map[1:]
    if prior is None or which >= len(prior.tables):
        raise CorruptError("the class map is of a prior that the model does not have")
    shape = -(-h // tables.BLOCK), -(-w // tables.BLOCK)
    try:
        of_block = fse.decode_causal(payload, shape, prior.contexts[which], _map_bank(prior, which))
    except fse.FseError as error:
        raise CorruptError(f"the class map is damaged: {error}") from error
    return _Classes(tables.spread(of_block, h, w), prior.tables[which], _bank(prior))


@lru_cache(maxsize=4)
def _cached_bank(counts: bytes, width: int) -> fse.Bank:
    rows = np.frombuffer(counts, np.int16).reshape(-1, width)
    return fse.Bank(fse.Table.from_normalised(row, tables.TABLE_LOG) for row in rows)


def _bank(prior: Prior) -> fse.Bank:
    return _cached_bank(prior.counts.tobytes(), prior.counts.shape[1])


def _map_bank(prior: Prior, which: int) -> fse.Bank:
    return _cached_bank(prior.map_counts[which].tobytes(), prior.map_counts.shape[2])
