"""The header of a record: facts about its picture, as JSON between stages, compact when packed."""

import json
import struct
from dataclasses import asdict, dataclass, fields, replace
from enum import IntEnum
from itertools import islice
from typing import Any, Self

from nic.errors import CorruptError, VersionError
from nic.format.bits import read_varint, varint
from nic.format.index import Channel, Mode, from_bits, to_bits
from nic.types import CODEBOOK, STRIDE

MAX_SIDE = 1 << 24  # pixels; bounds every size that is computed from a header
MAX_PIXELS = 1 << 30  # per record; bounds the memory that a few bytes can ask for
MAX_CHANNELS = 255
# The errors that Python raises when JSON is not a valid header.
INVALID = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
QUALITY_STEPS = 100  # the packed header stores quality in hundredths
DEPTHS = (8, 16)  # bits per sample
# Flags in the first byte of the packed header, beside the colour model:
IS_STRIP = 0x80
IN_BITS = 0x40  # the index is a string of bits. Always set; 0 is reserved for another index
IS_DEEP = 0x20  # 16 bits per sample


class Colour(IntEnum):
    """Colour model of the picture. The numbers are stored in files and never reused."""

    RGB = 0
    GREY = 1


@dataclass(frozen=True)
class Header:
    """Facts about one picture that travel with it through every stage.

    Attributes:
        width, height: pixels of the picture, or of one strip of a large picture.
        channels: how many leading latent channels are coded.
        bit_depth: bits per sample of the picture that was coded, 8 or 16; a decoder gives the
            same unless it is asked for another.
        quality: 1..100. In latents: the quality to quantize at. In later stages: the quality
            that was used. None: the model's default.
        index: mode and size of every channel, in coded and packed records; else empty.
        strip: (first row, height of the whole picture) of a strip; None for a whole picture.

    ``model_name``, ``name`` and ``history`` are not stored in packed records.
    """

    width: int
    height: int
    colour: Colour
    model: str  # first 8 hexadecimal digits of the model's content hash
    channels: int
    model_name: str | None = None
    bit_depth: int = 8
    latent_channels: int = 64
    codebook: tuple[int, int] = CODEBOOK
    quality: float | None = None
    index: tuple[Channel, ...] = ()
    name: str | None = None
    history: tuple[str, ...] = ()
    strip: tuple[int, int] | None = None

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(h, w, C) of the latents."""
        return -(-self.height // STRIDE), -(-self.width // STRIDE), self.latent_channels

    @property
    def padding(self) -> tuple[int, int]:
        """Rows and columns added at the bottom and right to reach multiples of 8."""
        return -self.height % STRIDE, -self.width % STRIDE

    def _is_strip(self, top: int, whole: int) -> bool:
        """Whether a record that starts at row ``top`` can be a strip of ``whole`` rows."""
        bottom = top + self.height
        inside = top >= 0 and bottom <= whole <= MAX_SIDE and self.height < whole
        return inside and top % STRIDE == 0 and (bottom == whole or bottom % STRIDE == 0)

    def after(self, stage: str, **changes: Any) -> Self:
        """This header with ``changes`` to its fields, and ``stage`` added to its history."""
        return replace(self, history=(*self.history, stage), **changes)

    def check(self) -> Self:
        """Return self if every field is in range. Raises CorruptError."""
        bounds = (
            (0 < self.width <= MAX_SIDE, "width"),
            (0 < self.height <= MAX_SIDE, "height"),
            (self.width * self.height <= MAX_PIXELS, "number of pixels"),
            (0 < self.latent_channels <= MAX_CHANNELS, "number of latent channels"),
            (0 < self.channels <= self.latent_channels, "number of channels"),
            (self.strip is None or self._is_strip(*self.strip), "strip"),
            (self.bit_depth in DEPTHS, "bit depth"),
            (self.quality is None or 1 <= self.quality <= 100, "quality"),
            (-128 <= self.codebook[0] <= 0 <= self.codebook[1] <= 127, "codebook"),
            (self.codebook[1] - self.codebook[0] < 32, "codebook"),
            (len(self.index) in (0, self.channels), "number of channel index entries"),
            (all(c.size == 0 for c in self.index if c.mode == Mode.EMPTY), "empty channel"),
            (all(c.size >= 0 for c in self.index), "payload size in the channel index"),
            (len(self.model) == 8 and set(self.model) <= set("0123456789abcdef"), "model"),
        )
        for fine, what in bounds:
            if not fine:
                raise CorruptError(f"impossible {what} in the header")
        return self


def to_json(header: Header) -> bytes:
    """The header as one line of JSON, with derived fields (latent_shape, padding) for people."""
    table = asdict(header)
    table["colour"] = header.colour.name.lower()
    table["latent_shape"] = header.latent_shape
    table["padding"] = header.padding
    table["index"] = [[channel.mode.name.lower(), channel.size] for channel in header.index]
    return json.dumps(table).encode()


def from_json(data: bytes) -> Header:
    """Inverse of ``to_json``; ignores the derived fields. Raises CorruptError."""
    try:
        table = json.loads(data)
        table = {f.name: table[f.name] for f in fields(Header)}
        table["colour"] = Colour[str(table["colour"]).upper()]
        table["index"] = tuple(Channel(Mode[m.upper()], int(s)) for m, s in table["index"])
        low, high = table["codebook"]
        table["codebook"] = (int(low), int(high))
        table["history"] = tuple(str(stage) for stage in table["history"])
        for name in ("model", "model_name", "name"):
            if not (table[name] is None or isinstance(table[name], str)):
                raise TypeError(f"{name} is not text")
        for name in ("width", "height", "channels", "bit_depth", "latent_channels"):
            table[name] = int(table[name])
        if table["strip"] is not None:
            top, whole = table["strip"]
            table["strip"] = (int(top), int(whole))
        if table["quality"] is not None:
            table["quality"] = float(table["quality"])
        header = Header(**table).check()
    except INVALID as error:
        raise CorruptError(f"the header is not valid: {error!r}") from error
    return header


# The packed header: at most 19 bytes (27 for a strip), then the index.
#
#     u8      colour | 20 for 16 bits per sample | 40 | 80 if this is a strip of a larger picture
#     varint  width, height
#     varint  only for a strip: its first row / 8, and the height of the whole picture
#     varint  quality in hundredths; 0 for the model's default
#     u8      latent channels, coded channels
#     i8      codebook: least and greatest symbol
#     u8[4]   first bytes of the model's content hash
#     -       the channel index (``nic.format.index``)


def to_packed(header: Header) -> bytes:
    """The header in its compact binary form, drawn above."""
    quality = 0 if header.quality is None else round(header.quality * QUALITY_STEPS)
    strip = () if header.strip is None else (header.strip[0] // STRIDE, header.strip[1])
    flags = IN_BITS | (IS_STRIP if strip else 0) | (IS_DEEP if header.bit_depth == 16 else 0)
    parts = [
        struct.pack("<B", header.colour | flags),
        *map(varint, (header.width, header.height, *strip, quality)),
        struct.pack("<BBbb", header.latent_channels, header.channels, *header.codebook),
        bytes.fromhex(header.model),
        to_bits(header.index),
    ]
    return b"".join(parts)


def from_packed(data: bytes) -> Header:
    """Inverse of ``to_packed``.

    Raises: CorruptError; VersionError for an unknown colour model, layout or channel mode.
    """
    source = iter(data)
    try:
        flags = next(source)
        colour, is_strip = _colour(flags), flags & IS_STRIP
        width, height = read_varint(source), read_varint(source)
        strip = (STRIDE * read_varint(source), read_varint(source)) if is_strip else None
        quality = read_varint(source)
        numbers = struct.unpack("<BBbb4s", bytes(islice(source, 8)))
        latent_channels, channels, low, high, model = numbers
    except (StopIteration, struct.error) as error:
        raise CorruptError("the packed header ends too early") from error
    rest = bytes(source)
    index, used = from_bits(rest, channels)
    if used < len(rest):
        raise CorruptError("the packed header has bytes left over")
    return Header(
        width=width,
        height=height,
        colour=colour,
        model=model.hex(),
        channels=channels,
        bit_depth=16 if flags & IS_DEEP else 8,
        latent_channels=latent_channels,
        codebook=(low, high),
        quality=quality / QUALITY_STEPS if quality else None,
        strip=strip,
        index=index,
    ).check()


def _colour(flags: int) -> Colour:
    """The colour model in the first byte of a packed header. Raises VersionError."""
    if not flags & IN_BITS:
        raise VersionError("unknown layout of the packed header; a newer nic wrote this file")
    number = flags & ~(IS_STRIP | IN_BITS | IS_DEEP)
    if number not in set(Colour):
        raise VersionError(f"unknown colour model {number}; a newer nic wrote this file")
    return Colour(number)
