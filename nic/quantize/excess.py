"""The excess: by how much rounded latents exceed the codebook. Few do, at hard edges.

Chunk X is a string of bits. It has a part for each channel with an excess, in order::

    golomb 0   how many channels are skipped since the last part, or since the start
    golomb 4   n, how many symbols of the channel are the least or the greatest of the codebook
    3 bits     k
    golomb k   n times: the excess of each of these symbols, in their order

``nic.format.bits`` describes the codes; zeros fill the last byte. A part is ignored when the
channel is missing, or when n is not the number of its symbols at the ends of the codebook. So
channels can be dropped without a change to this chunk.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nic.errors import CorruptError
from nic.format.bits import Bits, golomb, to_bytes
from nic.format.header import MAX_CHANNELS

LIMIT = 1 << 24  # greatest magnitude of a rounded latent; float32 skips integers above it
MAX_BEYOND = 2 * LIMIT
MAX_ZEROS = 26  # at the start of a code; MAX_BEYOND in order 0 has 25
COUNT_ORDER, ORDER_BITS = 4, 3

Ints = NDArray[np.int64]
Symbols = NDArray[np.int8]


def pack(symbols: Symbols, places: Ints, beyond: Ints, codebook: tuple[int, int]) -> bytes:
    """Chunk X of symbols (C, h, w); b"" if no symbol has an excess.

    Args:
        places: (n,) flat indices of the symbols with an excess. Each of these symbols is the
            least or the greatest of the codebook.
        beyond: (n,) value less symbol, with its sign.
    """
    bits, last = [], -1
    channel, within = np.divmod(places, symbols[0].size)
    for c in np.flatnonzero(np.bincount(channel)).tolist():  # np.unique would load numpy.ma
        at = _ends(symbols[c], codebook)
        amounts = np.zeros(len(at), np.int64)
        amounts[np.searchsorted(at, within[channel == c])] = np.abs(beyond[channel == c])
        order = min(range(1 << ORDER_BITS), key=lambda k: _length(amounts, k))
        bits += [golomb(c - last - 1, 0), golomb(len(at), COUNT_ORDER), f"{order:0{ORDER_BITS}b}"]
        bits += [golomb(amount, order) for amount in amounts.tolist()]
        last = c
    return to_bytes("".join(bits)) if bits else b""


def add(symbols: Symbols, chunk: bytes, codebook: tuple[int, int]) -> NDArray[np.int32]:
    """The values (C, h, w): symbols (C, h, w) and their excess. Raises CorruptError."""
    values = symbols.astype(np.int32)
    for c, amounts in channels(chunk, symbols[0].size):
        if c < len(symbols) and len(at := _ends(symbols[c], codebook)) == len(amounts):
            plane = values[c].reshape(-1)
            plane[at] += np.where(plane[at] == codebook[0], -1, 1) * np.array(amounts, np.int32)
    return values


def channels(chunk: bytes, size: int) -> Iterator[tuple[int, list[int]]]:
    """Yield each channel with an excess, in ascending order, and its amounts.

    Args: size: symbols per channel.
    Raises: CorruptError.
    """
    bits, channel = Bits(chunk, "chunk X"), -1
    while bits.more():
        channel += 1 + bits.golomb(0, MAX_ZEROS)
        count, order = bits.golomb(COUNT_ORDER, MAX_ZEROS), bits.number(ORDER_BITS)
        if channel >= MAX_CHANNELS or count > size:
            raise CorruptError("chunk X is damaged: it names channels or symbols that do not exist")
        amounts = [bits.golomb(order, MAX_ZEROS) for _ in range(count)]
        if max(amounts, default=0) > MAX_BEYOND:
            raise CorruptError("chunk X is damaged: a value out of range")
        yield channel, amounts


def _length(amounts: Ints, order: int) -> int:
    """Bits of all amounts in exponential Golomb codes of this order."""
    return int((2 * np.floor(np.log2((amounts >> order) + 1)) + 1 + order).sum())


def _ends(plane: Symbols, codebook: tuple[int, int]) -> Ints:
    """Flat indices of the least and the greatest symbol of the codebook in a plane (h, w)."""
    low, high = codebook
    return np.flatnonzero((plane == low) | (plane == high))
