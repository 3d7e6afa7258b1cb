"""Amounts by which rounded latents exceed the codebook. Few do, at hard edges.

Chunk X is a string of bits, with a part for each channel that has such amounts, in order::

    golomb 0   channels that are skipped since the last part, or since the start
    golomb 4   n, how many symbols of the channel are the least or the greatest of the codebook
    3 bits     k
    golomb k   n times: the amount of each of these symbols, in their order

``nic.format.bits`` draws the codes; zeros fill the last byte. Where the symbols of a channel are
not there, or are others, n does not fit, and the part of that channel says nothing. So channels can
be dropped without a look at this chunk.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nic.errors import CorruptError
from nic.format.bits import Bits, golomb, to_bytes
from nic.format.header import MAX_CHANNELS

LIMIT = 1 << 24  # of a rounded latent, either way; from there on float32 skips integers
MAX_BEYOND = 2 * LIMIT
MAX_ZEROS = 26  # of a code: of MAX_BEYOND, in order 0, 25
COUNT_ORDER, ORDER_BITS = 4, 3

Ints = NDArray[np.int64]
Symbols = NDArray[np.int8]


def pack(symbols: Symbols, places: Ints, beyond: Ints, codebook: tuple[int, int]) -> bytes:
    """Chunk X of symbols (C, h, w), b"" without any place.

    Args:
        places: (n,) places among all symbols; each has an end of the codebook there.
        beyond: (n,) value less symbol at each place, of either sign.
    """
    bits, last = [], -1
    channel, within = np.divmod(places, symbols[0].size)
    for c in np.unique(channel).tolist():
        at = _ends(symbols[c], codebook)
        amounts = np.zeros(len(at), np.int64)
        amounts[np.searchsorted(at, within[channel == c])] = np.abs(beyond[channel == c])
        order = min(range(1 << ORDER_BITS), key=lambda k: _length(amounts, k))
        bits += [golomb(c - last - 1, 0), golomb(len(at), COUNT_ORDER), f"{order:0{ORDER_BITS}b}"]
        bits += [golomb(amount, order) for amount in amounts.tolist()]
        last = c
    return to_bytes("".join(bits)) if bits else b""


def add(symbols: Symbols, chunk: bytes, codebook: tuple[int, int]) -> NDArray[np.int32]:
    """The values (C, h, w) of symbols (C, h, w). Raises CorruptError."""
    values = symbols.astype(np.int32)
    for c, amounts in channels(chunk, symbols[0].size):
        if c < len(symbols) and len(at := _ends(symbols[c], codebook)) == len(amounts):
            plane = values[c].reshape(-1)
            plane[at] += np.where(plane[at] == codebook[0], -1, 1) * np.array(amounts, np.int32)
    return values


def channels(chunk: bytes, size: int) -> Iterator[tuple[int, list[int]]]:
    """Channels in ascending order, each with its amounts, at most ``size`` of them.

    Raises: CorruptError.
    """
    bits, channel = Bits(chunk, "chunk X"), -1
    while bits.more():
        channel += 1 + bits.golomb(0, MAX_ZEROS)
        count, order = bits.golomb(COUNT_ORDER, MAX_ZEROS), bits.number(ORDER_BITS)
        if channel >= MAX_CHANNELS or count > size:
            raise CorruptError("chunk X is damaged: it speaks of more than there can be")
        amounts = [bits.golomb(order, MAX_ZEROS) for _ in range(count)]
        if max(amounts, default=0) > MAX_BEYOND:
            raise CorruptError("chunk X is damaged: a value out of range")
        yield channel, amounts


def _length(amounts: Ints, order: int) -> int:
    """Bits of all of them in a code of this order."""
    return int((2 * np.floor(np.log2((amounts >> order) + 1)) + 1 + order).sum())


def _ends(plane: Symbols, codebook: tuple[int, int]) -> Ints:
    """Where a plane (h, w) has the least or the greatest symbol of the codebook."""
    low, high = codebook
    return np.flatnonzero((plane == low) | (plane == high))
