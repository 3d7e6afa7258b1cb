"""A decoder of packed records in plain Python, written from the manual page nic(5) alone.

Slow, and not a line of it is shared with the programs: what it reads, and what it refuses, shows
that the page says enough. page_coder.py has its tables and payloads.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from page_coder import (
    RefusedError,
    Table,
    cells,
    demand,
    laplace,
    magnitude,
    ramped,
    read_description,
    two_states,
)
from PIL import Image

MAGIC = bytes.fromhex("89 4E 49 43 0D 0A 1A 0A")
MODEL_LOG = 12
LEAST_ENERGY = (0, 1, 2, 3, 5, 8, 13, 20)  # of each context

Arrays = dict[str, Any]  # prior.npz, as nested lists


# -- record format, chunks, packed header -------------------------------------------------------


@dataclass(frozen=True)
class Packed:
    """What decoding needs of a packed record."""

    width: int
    height: int
    codebook: tuple[int, int]
    model: str
    index: list[tuple[int, int]]  # mode, size
    data: bytes
    class_map: bytes | None
    grey: bool = False
    depth: int = 8
    alpha: bytes | None = None
    excess: bytes = b""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        return -(-self.height // 8), -(-self.width // 8)


def read_packed(data: bytes) -> Packed:
    """Read the only record of a stream; a truncated one is an IndexError or refused."""
    demand(data[:9] == MAGIC + b"\x41", "not a packed record")
    chunks, at = {}, 9
    while data[at : at + 1] != b"E":
        kind, start = data[at : at + 1].decode(), at
        length, at = _varint(data, at + 1)
        payload = data[at : at + length]
        at += length
        demand(zlib.crc32(data[start:at]) == int.from_bytes(data[at : at + 4], "little"), "CRC")
        demand(kind.islower() or (kind in "HADMX" and kind not in chunks), "critical chunk")
        chunks[kind] = payload
        at += 4
    demand(at + 1 == len(data), "more than a record")
    record = _with_header(chunks["H"], chunks["D"], chunks.get("M"))
    extra = {kind: zlib.decompress(chunks[kind]) for kind in "ixm" if kind in chunks}
    if "r" in chunks:
        demand(len(chunks["r"]) == 8, "a resolution of another length")
        extra["r"] = tuple(int.from_bytes(chunks["r"][i : i + 4], "little") for i in (0, 4))
        demand(0 not in extra["r"], "a resolution of 0")
    if "c" in chunks:
        extra["c"] = _colour(chunks["c"])
    excess = chunks.get("X", b"")
    return replace(record, alpha=chunks.get("A"), excess=excess, extra=extra)


def _colour(payload: bytes) -> dict[str, bytes]:
    """The parts of chunk c by name."""
    kinds = {1: ("cICP", 4), 2: ("gAMA", 4), 3: ("cHRM", 32), 4: ("sRGB", 1), 5: ("mDCV", 24),
             6: ("cLLI", 8)}  # fmt: skip
    parts, at = {}, 0
    while at < len(payload):
        kind, length = payload[at : at + 2]
        demand(at + 2 + length <= len(payload), "a part that is cut")
        if kind in kinds:
            name, size = kinds[kind]
            demand(length == size and name not in parts, "a part of another length, or twice")
            parts[name] = payload[at + 2 : at + 2 + length]
        at += 2 + length
    return parts


def with_excess(record: Packed, planes: list[list[int]]) -> list[list[int]]:
    """The values of the symbols of each channel, in their order."""
    bits = "".join(f"{byte:08b}" for byte in record.excess)
    values, channel = [list(plane) for plane in planes], -1

    def golomb(order: int) -> int:
        nonlocal bits
        zeros = bits.index("1")
        quotient, bits = int(bits[zeros : 2 * zeros + 1], 2) - 1, bits[2 * zeros + 1 :]
        rest, bits = int("0" + bits[:order], 2), bits[order:]
        return (quotient << order) + rest

    while "1" in bits:
        channel += golomb(0) + 1
        count = golomb(4)
        order, bits = int(bits[:3], 2), bits[3:]
        amounts = [golomb(order) for _ in range(count)]
        plane = values[channel] if channel < len(values) else []
        ends = [i for i, symbol in enumerate(plane) if symbol in record.codebook]
        if len(ends) == count:
            for i, amount in zip(ends, amounts, strict=True):
                plane[i] += -amount if plane[i] == record.codebook[0] else amount
    return values


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def _with_header(head: bytes, data: bytes, class_map: bytes | None) -> Packed:
    demand(head[0] & 64 != 0, "another layout of the index")
    width, at = _varint(head, 1)
    height, at = _varint(head, at)
    if head[0] >= 128:
        _, at = _varint(head, at)  # first row / 8
        _, at = _varint(head, at)  # whole height
    _, at = _varint(head, at)  # quality
    channels = head[at + 1]
    low, high = np.frombuffer(head[at + 2 : at + 4], np.int8).tolist()
    model = head[at + 4 : at + 8].hex()
    index = _index_in_bits(head[at + 8 :], channels)
    demand(sum(size for _, size in index) == len(data), "sizes")
    demand(head[0] % 32 < 2, "colour")
    grey, depth = head[0] % 32 == 1, 16 if head[0] & 32 else 8
    return Packed(width, height, (low, high), model, index, data, class_map, grey, depth)


def _index_in_bits(data: bytes, channels: int) -> list[tuple[int, int]]:
    bits = [byte >> 7 - i & 1 for byte in data for i in range(8)]
    at, mode, m, r, index = 0, 6, 0, 0, []

    def number(count: int) -> int:
        nonlocal at
        demand(at + count <= len(bits), "index too short")
        value = sum(bit << count - 1 - i for i, bit in enumerate(bits[at : at + count]))
        at += count
        return value

    for _ in range(channels):
        mode = mode if number(1) else number(3)
        demand(mode != 4, "a reserved mode")
        size = 0
        if mode:
            k = max(0, (r >> 4).bit_length() - 1)
            zeros = bits.index(1, at) - at
            at += zeros
            f = (number(zeros + 1) - 1 << k) + number(k)
            p = m >> 4
            near = p + (f + 1) // 2 if f % 2 else p - f // 2
            size = f if f > 2 * p else near
            m, r = (m + 16 * size) >> 1, (3 * r + 16 * f) >> 2
        index.append((mode, size))
    demand(len(bits) - at < 8 and not any(bits[at:]), "bits left over")
    return index


# -- alpha --------------------------------------------------------------------------------------


def alpha(record: Packed) -> np.ndarray | Packed | None:
    """Return the alpha plane (H, W), or the record of a grey picture that it is."""
    if record.alpha is None:
        return None
    demand(record.alpha != b"" and record.alpha[0] < 2, "method of alpha")
    if record.alpha[0] == 1:
        inner = read_packed(MAGIC + record.alpha[1:])
        size = inner.width, inner.height
        demand(size == (record.width, record.height), "size of alpha")
        demand(inner.grey and inner.alpha is None, "no grey picture")
        return inner
    image = Image.open(io.BytesIO(record.alpha[1:]))
    demand(image.format == "PNG" and image.mode in ("1", "L", "I;16"), "PNG of alpha")
    demand(image.size == (record.width, record.height), "size of alpha")
    if image.mode == "I;16":
        return np.array(image) if record.depth == 16 else np.rint(np.array(image) / 257)
    return np.array(image.convert("L"), int) * (257 if record.depth == 16 else 1)


# -- channels -----------------------------------------------------------------------------------


def decode(record: Packed, prior: Arrays | None) -> list[list[int]]:
    """Return the symbols of every channel, row by row."""
    (h, w), at, planes = record.shape, 0, []
    low, high = record.codebook
    symbol_of = sorted(range(low, high + 1), key=lambda symbol: (abs(symbol), symbol > 0))
    of_model = None
    if record.class_map is not None:
        demand(prior is not None, "no tables of the model")
        of_model = ModelTables(prior, record.class_map, h, w)
    for channel, (mode, size) in enumerate(record.index):
        payload = record.data[at : at + size]
        at += size
        if mode in (5, 6):
            demand(of_model is not None, "no chunk M")
            ranks = of_model.channel(mode, payload, channel)
        else:
            ranks = by_itself(mode, payload, h * w)
        demand(max(ranks) < len(symbol_of), "a rank above the last")
        planes.append([symbol_of[rank] for rank in ranks])
    return planes


def by_itself(mode: int, payload: bytes, n: int) -> list[int]:
    """Return the ranks of a channel that needs nothing but its payload."""
    size = {0: 0, 1: 1, 2: -(-5 * n // 8)}.get(mode, len(payload))
    demand(len(payload) == size, "size")
    if mode == 0:
        return n * [0]
    if mode == 1:
        return n * [payload[0]]
    if mode == 2:
        bits = "".join(f"{byte:08b}" for byte in payload)
        return [int(bits[i : i + 5], 2) for i in range(0, 5 * n, 5)]
    demand(len(payload) > 0, "size")
    if mode == 7 and payload[0] == 9:
        return _zstandard(payload[1:], n)
    if mode == 7 and payload[0] == 8:
        demand(len(payload) > 1, "size")
        counts, log, used = laplace(payload[1], 12), 12, 2
    else:
        counts, log, used = read_description(payload)
    table = cells(counts, log)
    read = {3: two_states, 7: ramped}[mode]
    return read(payload[used:], n, log, lambda _: table)


def _zstandard(frame: bytes, n: int) -> list[int]:
    import zstandard

    try:
        demand(zstandard.frame_content_size(frame) == n, "size of the frame")
        return list(zstandard.decompress(frame))
    except zstandard.ZstdError as error:
        raise RefusedError("not a frame") from error


# -- tables of the model ------------------------------------------------------------------------


def load_prior(path: Path) -> Arrays:
    """Read prior.npz."""
    with np.load(path) as arrays:
        return {name: arrays[name].tolist() for name in arrays.files}


class ModelTables:
    """The tables of the model that chunk M chooses, for latents of h rows and w columns."""

    def __init__(self, prior: Arrays, class_map: bytes, h: int, w: int) -> None:
        ramped_map, which = divmod(class_map[0], 128)
        demand(ramped_map == 1, "the first bit of chunk M")
        demand(which < len(prior["tables"]), "a set that the model does not have")
        self.shape = h, w
        self.tables = prior["tables"][which]
        self.built = [cells(tuple(counts), MODEL_LOG) for counts in prior["counts"]]
        self.map_width = -(-w // 2)
        self.classes = _class_map(
            class_map[1:], prior["map_counts"][which], prior["contexts"][which],
            -(-h // 2), self.map_width,
        )  # fmt: skip

    def channel(self, mode: int, payload: bytes, channel: int) -> list[int]:
        h, w = self.shape

        def table_of(ranks: list[int]) -> Table:
            y, x = divmod(len(ranks), w)
            entries = self.tables[self.classes[y // 2 * self.map_width + x // 2]][channel]
            demand(mode != 6 or len(entries) > 1, "the model has no contexts")
            entry = entries[1 + _context(ranks, w) if mode == 6 else 0]
            return self.built[entry]

        return ramped(payload, h * w, MODEL_LOG, table_of, single=mode == 6)


def _class_map(
    payload: bytes, counts: list[list[int]], row: list[list[int]], h: int, w: int
) -> list[int]:
    tables = [cells(tuple(of_row), MODEL_LOG) for of_row in counts]

    def table_of(classes: list[int]) -> Table:
        y, x = divmod(len(classes), w)
        west = classes[-1] if x else None
        north = classes[-w] if y else None
        west, north = north if west is None else west, west if north is None else north
        return tables[row[west or 0][north or 0]]

    return ramped(payload, h * w, MODEL_LOG, table_of, single=True)


def _context(ranks: list[int], w: int) -> int:
    y, x = divmod(len(ranks), w)

    def at(dy: int, dx: int) -> int:
        inside = y + dy >= 0 and 0 <= x + dx < w
        return magnitude(ranks[(y + dy) * w + x + dx]) if inside else 0

    energy = 2 * at(-1, 0) + 2 * at(0, -1) + at(-1, 1) + at(-1, -1) + at(-2, 0) + at(0, -2)
    return max(context for context, least in enumerate(LEAST_ENERGY) if energy >= least)
