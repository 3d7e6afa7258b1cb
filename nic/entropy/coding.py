"""Symbols to coded channels and back: each channel in the mode with the shortest code.

Symbols are mapped to ranks 0, 1, 2, ... in order of magnitude (0, -1, 1, -2, 2, ...). So the
table header of a Laplacian plane is a third shorter. With the tables of a model, each block of
2x2 latents has a class, which chooses a table for every channel. The class map is coded first.
Once it is known, channels do not depend on each other. Decoding needs no network and no floats.
"""

from dataclasses import replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

import nic.fse as fse
from nic.entropy import classmap, modes
from nic.entropy.byclass import ByClass
from nic.errors import CorruptError, UsageError
from nic.format.damage import Damage
from nic.format.index import BY_CLASS, Channel, Mode
from nic.format.records import Record, Stage
from nic.models import tables
from nic.models.tables import Prior
from nic.types import Bytes

MIDDLE_QUALITY = 50.0  # for symbols without a quality in their header

Coded = tuple[Mode, bytes]
Histogram = NDArray[np.uint32]  # of ranks


class Coder(StrEnum):
    """The coder of channels with more than one symbol."""

    AUTO = "auto"  # the shortest
    PRIOR = "prior"  # the model's tables
    OWN = "own"  # a table in the file
    FSE = "fse"  # a table in the file, and a payload of the reference coder
    RAW = "raw"  # five bits per symbol
    ZSTD = "zstd"


def encode(
    record: Record, prior: Prior | None = None, coder: Coder = Coder.AUTO, threads: int = 1
) -> Record:
    """Code a record of symbols: int8 (channels, h, w) -> payloads and their index.

    Args:
        prior: tables of the record's model; None: each channel is coded by itself.
        coder: how to code channels with two symbols or more.
        threads: number of threads; the bytes are the same for any number.
    Raises: CorruptError when a symbol is outside the codebook; UsageError when the tables or the
        package that ``coder`` needs are missing.
    """
    planes = to_ranks(record)
    histograms = fse.histograms(planes, modes.RANKS)
    coded = {c: done for c, h in enumerate(histograms) if (done := modes.constant(h))}
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
    """Inverse of ``encode``. Raises CorruptError, which names the damaged channels."""
    decoded, damage = decode_intact(record, prior, threads)
    if damage:
        raise CorruptError(str(damage))
    return decoded


def decode_intact(
    record: Record, prior: Prior | None = None, threads: int = 1
) -> tuple[Record, Damage]:
    """``decode`` for damaged records: the record, and its damage. Damaged channels are zero.

    Chunk D may end early; channels with missing bytes are damaged.
    """
    h, w, _ = record.header.latent_shape
    index, damage = record.header.index, Damage()
    payloads = _payloads(record, damage)
    by_class = [c for c in payloads if index[c].mode in BY_CLASS]
    classes = _classes_of(record, prior, by_class, damage)
    ranks = np.zeros((len(index), h, w), np.uint8)
    if classes is not None:
        for mode in BY_CLASS:
            chosen = [c for c in by_class if index[c].mode == mode]
            ranks[chosen] = classes.decode(mode, payloads, chosen, threads, damage)
    for c in payloads:
        if index[c].mode not in BY_CLASS:
            with damage.of([c]):
                ranks[c] = modes.decode(index[c].mode, payloads[c], h * w).reshape(h, w)
    low, high = record.header.codebook
    size = high - low + 1
    if ranks.size and ranks.max() >= size:
        outside = np.flatnonzero((ranks >= size).any(axis=(1, 2))).tolist()
        damage.lose(outside, "symbols outside the codebook")
        ranks[outside] = 0
    header = record.header.after("entropy -d", index=())
    _, symbol = _translations(record.header.codebook)
    symbols = ranks.tobytes().translate(symbol)
    return replace(record, stage=Stage.SYMBOLS, header=header, data=symbols, class_map=b""), damage


def _payloads(record: Record, damage: Damage) -> dict[int, bytes]:
    """The complete payloads, by channel; channels with missing bytes are noted as damaged."""
    index = record.header.index
    ends = np.cumsum([entry.size for entry in index]).tolist()
    missing = [c for c, end in enumerate(ends) if end > len(record.data) and index[c].size]
    damage.lose(missing, "the end of the data is missing")
    return {
        c: bytes(record.data[end - entry.size : end])
        for c, (entry, end) in enumerate(zip(index, ends, strict=True))
        if c not in missing
    }


def _classes_of(
    record: Record, prior: Prior | None, channels: list[int], damage: Damage
) -> ByClass | None:
    """The decoded class map; None if it is damaged, and then ``channels`` are lost too."""
    if not record.class_map:
        damage.lose(channels, "the class map is missing")
        return None
    h, w, _ = record.header.latent_shape
    try:
        table_set, of_block = classmap.decode(record.class_map, prior, h, w)
    except CorruptError as error:
        damage.notes.append(str(error))
        damage.lose(channels, "without the class map")
        return None
    assert prior is not None  # classmap.decode refuses a map without a prior
    return ByClass(prior, table_set, tables.spread(of_block, h, w))


def to_ranks(record: Record) -> Bytes:
    """Ranks uint8 (channels, h, w) of a record of symbols. Raises CorruptError."""
    h, w, _ = record.header.latent_shape
    symbols = np.frombuffer(record.data, np.int8).reshape(record.header.channels, h, w)
    low, high = record.header.codebook
    if symbols.min() < low or symbols.max() > high:
        raise CorruptError(f"symbols outside the codebook {low}..{high}")
    rank, _ = _translations(record.header.codebook)
    ranks = np.frombuffer(bytes(record.data).translate(rank), np.uint8)
    return ranks.reshape(symbols.shape)


def _translations(codebook: tuple[int, int]) -> tuple[bytes, bytes]:
    """Tables of symbol to rank and rank to symbol, for ``bytes.translate``.

    It is 2.5 times as fast as NumPy's indexing.
    """
    low, high = codebook
    value = np.array(sorted(range(low, high + 1), key=lambda v: (abs(v), v > 0)), np.int8)
    rank = np.zeros(256, np.uint8)
    rank[value.view(np.uint8)] = np.arange(len(value))
    return rank.tobytes(), value.tobytes().ljust(256, b"\0")


def _in_order(coded: dict[int, Coded]) -> list[Coded]:
    return [coded[c] for c in sorted(coded)]


class Lengths:
    """The code lengths of symbols in the tables of a model, at one quality."""

    def __init__(
        self, prior: Prior, quality: float, channels: int, codebook: tuple[int, int]
    ) -> None:
        self._prior, self._set, self._codebook = prior, prior.set_for(quality), codebook
        self._rank, _ = _translations(codebook)
        self._tables = prior.of_channels(self._set, channels, prior.has_contexts)  # (C, K, X)
        ranks = [self._rank[symbol & 0xFF] for symbol in range(codebook[0], codebook[1] + 1)]
        # Code length in bits, (T, S), of every symbol of the codebook in every table.
        self.lengths: NDArray[np.float32] = (prior.bits[:, ranks] / tables.UNIT).astype(np.float32)

    def tables(self, symbols: NDArray[np.int32]) -> Bytes:
        """The table of every symbol, with the best classes: (C, h, w), also of the result.

        Args: symbols: before clipping to the codebook.
        """
        inside = np.clip(symbols, *self._codebook).astype(np.int8)
        flat = np.frombuffer(inside.tobytes().translate(self._rank), np.uint8)
        ranks = flat.reshape(symbols.shape)
        of_block = classmap.choose(ranks, self._prior, self._set)
        classes = tables.spread(of_block, *symbols.shape[1:])
        if not self._prior.has_contexts:
            return self._tables[:, classes, 0]
        contexts = fse.energy_contexts(ranks)
        found = np.empty(symbols.shape, np.uint8)
        for plane, of_class, context in zip(found, self._tables, contexts, strict=True):
            plane[...] = of_class[classes, context]
        return found


# -- one channel by itself --------------------------------------------------------------------


def _by_itself(ranks: Bytes, histogram: Histogram, coder: Coder) -> Coded:
    if coder == Coder.RAW:
        return modes.raw(ranks)
    if coder == Coder.ZSTD:
        return modes.zstd(ranks)
    return (modes.reference if coder == Coder.FSE else modes.own)(ranks, histogram)


def _shortest(ranks: Bytes, histogram: Histogram, best: Coded | None) -> Coded:
    """The shortest of ``best``, an own table and raw; skips a mode that cannot be shorter."""
    size = len(best[1]) if best else ranks.size
    if modes.bound(histogram) < size:
        candidate = modes.own(ranks, histogram)
        best = candidate if best is None or len(candidate[1]) < size else best
    if best is None or modes.raw_size(ranks.size) < len(best[1]):
        best = modes.raw(ranks)
    return best


# -- all channels, with the class map ---------------------------------------------------------


def _with_prior(
    planes: Bytes, channels: list[int], prior: Prior, quality: float, threads: int
) -> tuple[bytes, dict[int, Coded]]:
    """Chunk M and the channels coded with the model's tables, by contexts if the model has them.

    The set of tables is the set for the rate point nearest to ``quality``.
    """
    _, h, w = planes.shape
    table_set = prior.set_for(quality)
    of_block = classmap.choose(planes, prior, table_set)
    classes = ByClass(prior, table_set, tables.spread(of_block, h, w))
    mode = Mode.CONTEXT if prior.has_contexts else Mode.CLASS
    payloads = classes.encode(mode, planes, channels, threads)
    coded = {c: (mode, payload) for c, payload in zip(channels, payloads, strict=True)}
    return classmap.encode(of_block, prior, table_set), coded


def _if_it_pays(
    planes: Bytes, histograms: Histogram, coded: dict[int, Coded], class_map: bytes
) -> tuple[dict[int, Coded], bytes]:
    """``coded`` and the class map, or all channels coded without the map if that is shorter."""
    with_map = {c for c, (mode, _) in coded.items() if mode in BY_CLASS}
    least = sum(modes.bound(histograms[c]) for c in with_map)
    size = len(class_map) + sum(len(coded[c][1]) for c in with_map)
    if least >= size:
        return coded, class_map
    plain = {c: _shortest(planes[c].ravel(), histograms[c], None) for c in with_map}
    if sum(len(payload) for _, payload in plain.values()) >= size:
        return coded, class_map
    return coded | plain, b""
