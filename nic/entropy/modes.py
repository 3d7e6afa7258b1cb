"""The modes that code a channel by itself, without the model's tables and the class map.

The payload of each mode:

    EMPTY      nothing: every symbol is zero
    CONSTANT   the rank of the symbol, one byte
    RAW        five bits per rank, the highest first
    FSE        table header, then a two-state payload, as the reference coder writes it
    OWN        table header, then a ramped payload; or
               08, the parameter of a table, then a ramped payload; or
               09, then a zstd frame of the ranks

A table header (RFC 8878, 4.1.1) starts with its table log less 5 in the low four bits. That is 0
to 7, so 08 and 09 cannot start a table header.
"""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

import nic.fse as fse
from nic.errors import UsageError
from nic.format.index import Mode
from nic.types import Bytes

RAW_BITS = 5  # a codebook has at most 32 values
RANKS = 1 << RAW_BITS
PARAMETER, ZSTD = b"\x08", b"\x09"
LEAST_OWN = 3  # bytes: the shortest table, and the states of a payload

Coded = tuple[Mode, bytes]
Histogram = NDArray[np.uint32]  # of ranks


def constant(histogram: Histogram) -> Coded | None:
    """The code of a plane with only one symbol, given its histogram; None for other planes."""
    seen = np.flatnonzero(histogram)
    if len(seen) > 1:
        return None
    return (Mode.CONSTANT, bytes(seen.tolist())) if seen[0] else (Mode.EMPTY, b"")


def bound(histogram: Histogram) -> float:
    """A lower bound of the bytes that ``own`` takes: the entropy, and the least overhead."""
    counts = histogram[histogram > 0]
    return float(counts @ -np.log2(counts / counts.sum())) / 8 + LEAST_OWN


def own(ranks: Bytes, histogram: Histogram) -> Coded:
    """Code a plane of ranks (n,) of two or more symbols, with the shorter kind of table."""
    table = fse.Table.from_counts(histogram)
    parameter, bits = fse.best_parameter(histogram)
    if bits / 8 + 2 < table.bits(histogram) / 8 + len(table.header()):
        head, table = PARAMETER + bytes([parameter]), fse.Table.from_parameter(parameter)
    else:
        head = table.header()
    return Mode.OWN, head + fse.encode_ramp(ranks, table)


def raw(ranks: Bytes) -> Coded:
    """Store a plane of ranks (n,) in five bits per rank."""
    bits = np.unpackbits(ranks[:, None], axis=1)[:, -RAW_BITS:]
    return Mode.RAW, np.packbits(bits).tobytes()


def raw_size(n: int) -> int:
    """Bytes that ``raw`` takes for n ranks."""
    return -(-n * RAW_BITS // 8)


def reference(ranks: Bytes, histogram: Histogram) -> Coded:
    """Code a plane of ranks (n,) of two or more symbols as the reference does, or raw."""
    table = fse.Table.from_counts(histogram)
    coded = table.header() + fse.encode(ranks, table)
    return (Mode.FSE, coded) if len(coded) < raw_size(ranks.size) else raw(ranks)


def zstd(ranks: Bytes) -> Coded:
    """Code a plane of ranks (n,) as a zstd frame. Raises UsageError without zstandard."""
    return Mode.OWN, ZSTD + _zstandard().compress(ranks.tobytes(), 19)


def _zstandard() -> ModuleType:
    try:
        import zstandard
    except ImportError as error:
        raise UsageError("zstandard is not installed: pip install 'nic-codec[zstd]'") from error
    return zstandard


def decode(mode: Mode, payload: bytes, n: int) -> Bytes:
    """Ranks uint8 (n,) of one plane.

    Raises: ValueError or FseError for damage, UsageError for zstd without the package zstandard.
    """
    if mode == Mode.FSE:
        table, used = fse.Table.from_header(payload, max_symbol=RANKS - 1)
        return np.asarray(fse.decode(payload[used:], n, table))
    if mode == Mode.OWN:
        return _decode_own(payload, n)
    expected = {Mode.EMPTY: 0, Mode.CONSTANT: 1, Mode.RAW: raw_size(n)}[mode]
    if len(payload) != expected:
        raise ValueError(f"{len(payload)} bytes where {expected} are due")
    if mode == Mode.EMPTY:
        return np.zeros(n, np.uint8)
    if mode == Mode.CONSTANT:
        return np.full(n, payload[0], np.uint8)
    bits = np.unpackbits(np.frombuffer(payload, np.uint8), count=n * RAW_BITS)
    weights = 1 << np.arange(RAW_BITS)[::-1]
    return np.asarray(bits.reshape(n, RAW_BITS) @ weights, np.uint8)


def _decode_own(payload: bytes, n: int) -> Bytes:
    if payload[:1] == ZSTD:
        return _decode_zstd(payload[1:], n)
    if payload[:1] == PARAMETER:
        table, used = fse.Table.from_parameter(payload[1]), 2
    else:
        table, used = fse.Table.from_header(payload, max_symbol=RANKS - 1)
    return np.asarray(fse.decode_ramp(payload[used:], n, table))


def _decode_zstd(frame: bytes, n: int) -> Bytes:
    zstandard = _zstandard()
    try:
        if zstandard.frame_content_size(frame) != n:
            raise ValueError(f"its zstd frame does not hold {n} symbols")
        ranks = zstandard.ZstdDecompressor().decompress(frame, n, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(f"its zstd frame is damaged: {error}") from error
    return np.frombuffer(ranks, np.uint8)
