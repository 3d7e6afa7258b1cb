"""Bits, exponential Golomb codes and varints, as headers and chunks use them.

The most significant bit of a byte comes first, and zeros fill the last byte. The exponential
Golomb code of order k (Teuhola 1978) of a number f >= 0 has two parts. First comes (f >> k) + 1:
it has n significant bits, and n - 1 zeros stand before them. Then come the last k bits of f.
"""

from collections.abc import Iterator

from nic.errors import CorruptError

MAX_VARINT = 9  # bytes


def golomb(value: int, order: int) -> str:
    """Exponential Golomb code of ``value`` >= 0, as text of 0 and 1."""
    quotient = f"{(value >> order) + 1:b}"
    rest = f"{value & (1 << order) - 1:0{order}b}" if order else ""
    return "0" * (len(quotient) - 1) + quotient + rest


def to_bytes(bits: str) -> bytes:
    """Text of 0 and 1 as bytes, the most significant bit first; zeros fill the last one."""
    return int(bits + "0" * (-len(bits) % 8) or "0", 2).to_bytes(-(-len(bits) // 8))


class Bits:
    """Reads bits from bytes. It holds them as text of 0 and 1, because text is searched fast.

    Args: name: what the bytes are, for error messages.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self._text = f"{int.from_bytes(data):0{8 * len(data)}b}" if data else ""
        self._at = 0
        self._name = name

    def number(self, count: int) -> int:
        """The next ``count`` bits as a number. Raises CorruptError when fewer are left."""
        self._at += count
        if self._at > len(self._text):
            raise CorruptError(f"{self._name} is damaged: it ends too early")
        return int(self._text[self._at - count : self._at] or "0", 2)

    def golomb(self, order: int, most_zeros: int) -> int:
        """Inverse of ``golomb``.

        Raises: CorruptError when the bits end inside the code, or when it begins with more than
            ``most_zeros`` zeros.
        """
        end = self._at + max(0, most_zeros) + 1
        first_one = self._text.find("1", self._at, end)
        if first_one < 0 and end <= len(self._text):
            raise CorruptError(f"{self._name} is damaged: a number is too long")
        zeros = (first_one if first_one >= 0 else len(self._text)) - self._at
        self._at += zeros
        return (self.number(zeros + 1) - 1 << order) | self.number(order)

    def more(self) -> bool:
        """Whether a 1 follows. Raises CorruptError when zeros follow that fill a byte or more."""
        if self._text.find("1", self._at) >= 0:
            return True
        if len(self._text) - self._at >= 8:
            raise CorruptError(f"{self._name} is damaged: it does not end")
        return False

    def close(self) -> int:
        """How many bytes were read. Raises CorruptError if the rest of the last is not zero."""
        used = -(-self._at // 8)
        if "1" in self._text[self._at : 8 * used]:
            raise CorruptError(f"{self._name} does not end in zeros")
        return used


def varint(value: int) -> bytes:
    """Unsigned LEB128: seven bits per byte, least significant first; the high bit means more."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(source: Iterator[int]) -> int:
    """Read one varint from an iterator over bytes.

    Raises: StopIteration when the bytes end inside it, CorruptError when it is too long.
    """
    value = 0
    for shift in range(0, 7 * MAX_VARINT, 7):
        byte = next(source)
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
    raise CorruptError("a number in the header is too long")
