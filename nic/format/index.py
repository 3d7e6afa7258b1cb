"""The channel index: how each channel is coded, and in how many bytes.

Packed, it is a string of bits. On a small picture the index weighs as much as everything else
beside the symbols, so each size is coded as its difference from a mean of those before it, in an
exponential Golomb code (Teuhola 1978) of adaptive order. Per channel, the most significant bit
of each byte first:

    1        the mode is that of the channel before (of the first one: CONTEXT); else
    0 mmm    the mode
    then, unless the mode is EMPTY, which has no bytes:
    golomb   the size, folded about the prediction P as f =
                 2 (size - P) - 1   where P < size <= 2 P
                 2 (P - size)       where size <= P
                 size               above 2 P

A golomb code of order k is f >> k, plus 1, in n bits after n - 1 zeros, and then the last k bits
of f. Zeros fill the last byte. Two means m and r, which start as 0, follow the sizes in
sixteenths: P = m >> 4 and k = the bits of r >> 4, less 1 (0 where that is 0); after each size
m = (m + 16 size) >> 1, and r = (3 r + 16 f) >> 2.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from nic.errors import CorruptError

MODE_BITS = 3
MAX_BITS = 64  # of a size


class Mode(IntEnum):
    """How one channel is coded; stored in three bits, all of which have a meaning."""

    EMPTY = 0  # every symbol is zero: no payload
    CONSTANT = 1  # one byte: the rank of the symbol
    RAW = 2  # five bits per symbol
    FSE = 3  # its own table, then a two-state tANS payload, as the reference's
    PRIOR = 4  # a two-state payload with the model's tables, by class; read, not written
    CLASS = 5  # a ramped payload with the model's tables, by class
    CONTEXT = 6  # ... by class and decoded neighbours
    OWN = 7  # its own table, then a ramped payload


BY_CLASS = (Mode.PRIOR, Mode.CLASS, Mode.CONTEXT)  # those that need the class map


@dataclass(frozen=True)
class Channel:
    """Entry of the channel index: coding mode, and payload size in bytes."""

    mode: Mode
    size: int


@dataclass
class _Sizes:
    """The means of sizes so far (m) and of what they differed from its prediction (r)."""

    mean: int = 0
    spread: int = 0

    @property
    def prediction(self) -> int:
        return self.mean >> 4

    @property
    def order(self) -> int:
        return max(0, (self.spread >> 4).bit_length() - 1)

    def fold(self, size: int) -> int:
        """The size as a number that is small when it is near the prediction."""
        near = self.prediction
        if size > 2 * near:
            return size
        return 2 * (size - near) - 1 if size > near else 2 * (near - size)

    def unfold(self, folded: int) -> int:
        """Inverse of ``fold``."""
        near = self.prediction
        if folded > 2 * near:
            return folded
        return near + (folded + 1) // 2 if folded % 2 else near - folded // 2

    def follow(self, size: int, folded: int) -> None:
        self.mean = (self.mean + 16 * size) >> 1
        self.spread = (3 * self.spread + 16 * folded) >> 2


def to_bits(index: Iterable[Channel]) -> bytes:
    """The index in bits, to a whole byte. An empty channel must have size 0."""
    bits, before, sizes = [], Mode.CONTEXT, _Sizes()
    for mode, size in ((channel.mode, channel.size) for channel in index):
        bits.append("1" if mode == before else f"0{mode:0{MODE_BITS}b}")
        before = mode
        if mode != Mode.EMPTY:
            folded = sizes.fold(size)
            bits.append(golomb(folded, sizes.order))
            sizes.follow(size, folded)
    return to_bytes("".join(bits))


def to_bytes(bits: str) -> bytes:
    """Text of 0 and 1 as bytes, the most significant bit first; zeros fill the last one."""
    return int(bits + "0" * (-len(bits) % 8) or "0", 2).to_bytes(-(-len(bits) // 8))


def golomb(value: int, order: int) -> str:
    """Exponential Golomb code of ``value`` >= 0, as text of 0 and 1."""
    quotient = f"{(value >> order) + 1:b}"
    rest = f"{value & (1 << order) - 1:0{order}b}" if order else ""
    return "0" * (len(quotient) - 1) + quotient + rest


class _Bits:
    """Bits of an iterator over bytes, of which no more are taken than are needed."""

    def __init__(self, source: Iterator[int]) -> None:
        self._source = source
        self._byte, self._left = 0, 0

    def read(self, count: int) -> int:
        """The next ``count`` bits as a number. Raises StopIteration at the end."""
        value = 0
        for _ in range(count):
            if not self._left:
                self._byte, self._left = next(self._source), 8
            self._left -= 1
            value = value << 1 | self._byte >> self._left & 1
        return value

    def rest(self) -> int:
        """What is left of the last byte that was taken."""
        return self._byte & (1 << self._left) - 1

    def golomb(self, order: int) -> int:
        """Inverse of ``golomb``. Raises StopIteration, or CorruptError when it is too long."""
        length = 0
        while not self.read(1):
            length += 1
            if length + order > MAX_BITS:
                raise CorruptError("a size in the channel index is too long")
        quotient = (1 << length | self.read(length)) - 1
        return quotient << order | self.read(order)


def from_bits(source: Iterator[int], channels: int) -> tuple[Channel, ...]:
    """Inverse of ``to_bits``; takes as many bytes from ``source`` as the index has.

    Raises: StopIteration when they end too early, CorruptError when a size is too long or the
        bits that fill the last byte are not zero.
    """
    bits, before, sizes = _Bits(source), Mode.CONTEXT, _Sizes()
    index = []
    for _ in range(channels):
        before = before if bits.read(1) else Mode(bits.read(MODE_BITS))
        size = 0
        if before != Mode.EMPTY:
            folded = bits.golomb(sizes.order)
            size = sizes.unfold(folded)
            sizes.follow(size, folded)
        index.append(Channel(before, size))
    if bits.rest():
        raise CorruptError("the channel index does not end in zeros")
    return tuple(index)
