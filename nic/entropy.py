"""Symbols to coded channels and back: every channel by itself, in the mode that is shortest.

Symbols are mapped to 0, 1, 2, ... by growing magnitude (0, -1, 1, -2, 2, ...), which makes
the table header of a Laplacian plane a third shorter. No network and no float takes part in
decoding.
"""

import numpy as np
from numpy.typing import NDArray

import nic.fse as fse
from nic.errors import CorruptError
from nic.header import Channel, Mode
from nic.stream import Record, Stage

TABLE_LOG = 11  # most precise table; the coder lowers it for short planes
RAW_BITS = 5  # a codebook has at most 32 values


def encode(record: Record) -> Record:
    """Code a record of symbols: int8 (channels, h, w) -> payloads and their index."""
    rank, _ = _ranks(record.header.codebook)
    h, w, _ = record.header.latent_shape
    symbols = np.frombuffer(record.data, np.int8).reshape(record.header.channels, h * w)
    low, high = record.header.codebook
    if symbols.min() < low or symbols.max() > high:
        raise CorruptError(f"symbols outside the codebook {low}..{high}")
    coded = [_encode_channel(plane) for plane in rank[symbols.view(np.uint8)]]
    index = tuple(Channel(mode, len(payload)) for mode, payload in coded)
    header = record.header.after("entropy", index=index)
    return Record(Stage.CODED, header, b"".join(p for _, p in coded), record.extra)


def decode(record: Record) -> Record:
    """Inverse of ``encode``. Raises CorruptError, which names the damaged channel."""
    _, value = _ranks(record.header.codebook)
    h, w, _ = record.header.latent_shape
    symbols = np.empty((record.header.channels, h * w), np.int8)
    at = 0
    for c, (mode, size) in enumerate((entry.mode, entry.size) for entry in record.header.index):
        try:
            ranks = _decode_channel(mode, bytes(record.data[at : at + size]), h * w)
            symbols[c] = value[ranks]
        except (fse.FseError, IndexError, ValueError) as error:
            raise CorruptError(f"channel {c} is damaged: {error}") from error
        at += size
    header = record.header.after("entropy -d", index=())
    return Record(Stage.SYMBOLS, header, symbols.tobytes(), record.extra)


def _ranks(codebook: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """Rank of every symbol (indexed by its byte), and the symbol of every rank."""
    low, high = codebook
    value = np.array(sorted(range(low, high + 1), key=lambda v: (abs(v), v > 0)), np.int8)
    rank = np.zeros(256, np.uint8)
    rank[value.view(np.uint8)] = np.arange(len(value))
    return rank, value


def _encode_channel(ranks: NDArray[np.uint8]) -> tuple[Mode, bytes]:
    """The shortest of the modes for one plane of ranks (n,)."""
    histogram = np.bincount(ranks)
    if histogram.max() == ranks.size:
        value = len(histogram) - 1
        return (Mode.CONSTANT, bytes([value])) if value else (Mode.EMPTY, b"")
    table = fse.Table.from_counts(histogram, TABLE_LOG)
    coded = table.header() + fse.encode(ranks, table)
    if len(coded) < -(-ranks.size * RAW_BITS // 8):
        return Mode.FSE, coded
    bits = np.unpackbits(ranks[:, None], axis=1)[:, -RAW_BITS:]
    return Mode.RAW, np.packbits(bits).tobytes()


def _decode_channel(mode: Mode, payload: bytes, n: int) -> NDArray[np.uint8]:
    """Ranks (n,) of one plane. Raises ValueError or FseError."""
    if mode == Mode.FSE:
        table, used = fse.Table.from_header(payload)
        return fse.decode(payload[used:], n, table)
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
