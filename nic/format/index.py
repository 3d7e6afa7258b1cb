"""The channel index: the mode and the size in bytes of each channel.

In a packed header it is a string of bits. In the file of a small picture the index takes as many
bytes as everything else beside the symbols. So each size is coded as its difference from a mean of
the sizes before it, in an exponential Golomb code of adaptive order. For each channel:

    1        the mode is the mode of the channel before (the first channel: CONTEXT)
    0 mmm    or else the mode, in three bits
    then, unless the mode is EMPTY:
    golomb   the size, as a number f >= 0 that is small near the prediction P:
                 2 (size - P) - 1   if P < size <= 2 P
                 2 (P - size)       if size <= P
                 size               if size > 2 P

``nic.format.bits`` describes the code; zeros fill the last byte. Two running means, m of the sizes
and r of the numbers f, are kept in sixteenths and start at 0. P is m >> 4. The order of the code
is max(0, n - 1), where n is the number of significant bits of r >> 4. After each size m becomes
(m + 16 size) >> 1, and r becomes (3 r + 16 f) >> 2.
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
    FSE = 3  # its own table, then a two-state tANS payload, as the reference writes it
    CLASS = 5  # a ramped payload; the class chooses one of the model's tables
    CONTEXT = 6  # a ramped payload; class and decoded neighbours choose the table
    OWN = 7  # its own table, then a ramped payload


BY_CLASS = (Mode.CLASS, Mode.CONTEXT)  # the modes that need the class map


@dataclass(frozen=True)
class Channel:
    """Entry of the channel index: mode, and size of the payload in bytes."""

    mode: Mode
    size: int


@dataclass
class _Sizes:
    """The running means, in sixteenths: of the sizes (m), and of their folded numbers (r)."""

    mean: int = 0
    spread: int = 0

    @property
    def prediction(self) -> int:
        return self.mean >> 4

    @property
    def order(self) -> int:
        return max(0, (self.spread >> 4).bit_length() - 1)

    def fold(self, size: int) -> int:
        """The number f of a size: small when the size is near the prediction."""
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
    """The index as bits, filled to a whole byte. An empty channel must have size 0."""
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
    """Inverse of ``to_bits``: the index at the start of ``data``, and how many bytes it takes.

    Raises: CorruptError when the bytes end too early, a size is too large, or the bits that fill
        the last byte are not zero; VersionError for an unknown mode.
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
