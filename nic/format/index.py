"""The channel index: how each channel is coded, and in how many bytes.

Packed, it is a string of bits. On a small picture the index weighs as much as everything else
beside the symbols. So each size is coded as its difference from a mean of the sizes before it, in
an exponential Golomb code of adaptive order. For each channel:

    1        the mode is that of the channel before (of the first one: CONTEXT); else
    0 mmm    the mode
    then, unless the mode is EMPTY, which has no bytes:
    golomb   the size, folded about the prediction P as f =
                 2 (size - P) - 1   where P < size <= 2 P
                 2 (P - size)       where size <= P
                 size               above 2 P

``nic.format.bits`` draws the code; zeros fill the last byte. Two means m and r follow the sizes in
sixteenths, and start as 0. P is m >> 4. The order k is the bits of r >> 4, less 1, but at least 0.
After each size m becomes (m + 16 size) >> 1, and r becomes (3 r + 16 f) >> 2.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from nic.errors import VersionError
from nic.format.bits import Bits, golomb, to_bytes

MODE_BITS = 3
MAX_BITS = 64  # of a size


class Mode(IntEnum):
    """How one channel is coded; stored in three bits. 4 is reserved, and refused."""

    EMPTY = 0  # every symbol is zero: no payload
    CONSTANT = 1  # one byte: the rank of the symbol
    RAW = 2  # five bits per symbol
    FSE = 3  # its own table, then a two-state tANS payload, as the reference's
    CLASS = 5  # a ramped payload with the model's tables, by class
    CONTEXT = 6  # ... by class and decoded neighbours
    OWN = 7  # its own table, then a ramped payload


BY_CLASS = (Mode.CLASS, Mode.CONTEXT)  # those that need the class map


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


def from_bits(data: bytes, channels: int) -> tuple[tuple[Channel, ...], int]:
    """Inverse of ``to_bits``: the index that ``data`` starts with, and how many bytes it takes.

    Raises: CorruptError when the bytes end too early, a size is too long or the bits that fill
        the last byte are not zero, and VersionError for a mode that is not known.
    """
    bits, before, sizes = Bits(data, "the channel index"), Mode.CONTEXT, _Sizes()
    index = []
    for _ in range(channels):
        before = before if bits.number(1) else _mode(bits.number(MODE_BITS))
        size = 0
        if before != Mode.EMPTY:
            folded = bits.golomb(sizes.order, MAX_BITS - sizes.order)
            size = sizes.unfold(folded)
            sizes.follow(size, folded)
        index.append(Channel(before, size))
    return tuple(index), bits.close()


def _mode(number: int) -> Mode:
    if number not in set(Mode):
        raise VersionError(f"unknown channel mode {number}; a newer nic wrote this file")
    return Mode(number)
