"""Orientation in EXIF and XMP: read, set to "upright", and what else a turn changes there."""

import logging
import re
import struct
from collections.abc import Iterator
from contextlib import suppress

log = logging.getLogger("nic")

ORIENTATION = 0x0112
XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>)\s*)([1-8])(?![0-9])""")
# Tags of width and height: those of the picture, and in the directory EXIF those of its pixels.
EXIF_DIRECTORY, SIDES, PIXEL_SIDES = 0x8769, (0x0100, 0x0101), (0xA002, 0xA003)
# Width and height in XMP, as attributes or elements.
XMP_SIDES = tuple(
    tuple(re.compile(rb"""(%b(?:\s*=\s*["']|>)\s*)([0-9]+)""" % name) for name in pair)
    for pair in ((b"tiff:ImageWidth", b"tiff:ImageLength"),
                 (b"exif:PixelXDimension", b"exif:PixelYDimension"))
)  # fmt: skip
SHORT, LONG = 3, 4  # EXIF's types of 16-bit and 32-bit numbers


def upright(exif: bytes, xmp: bytes) -> tuple[bytes, bytes, int]:
    """EXIF and XMP made upright, and the orientation that they had, or 0; EXIF comes first."""
    exif, turn = upright_exif(exif)
    if not turn and (says := XMP_ORIENTATION.search(xmp)):
        turn = int(says[2])
    return exif, upright_xmp(xmp), turn


def upright_xmp(xmp: bytes) -> bytes:
    """XMP with tiff:Orientation set to 1."""
    return XMP_ORIENTATION.sub(rb"\g<1>1", xmp)


def upright_exif(exif: bytes) -> tuple[bytes, int]:
    """EXIF (TIFF 6.0, section 2) with Orientation set to 1, and the orientation that it had.

    The orientation is 0 if EXIF has none. Everything else stays at its offset, because maker
    notes refer to offsets. Only the second directory, with the thumbnail, is unlinked when the
    picture is turned, because the thumbnail is not. EXIF that cannot be read is dropped, with a
    note.
    """
    try:
        return _upright(bytearray(exif)) if exif else (b"", 0)
    except (struct.error, LookupError):
        log.warning("note: the EXIF data is damaged and is not kept")
        return b"", 0


def turned(exif: bytes, xmp: bytes, turn: int) -> tuple[bytes, bytes]:
    """EXIF and XMP of a picture whose pixels were turned from orientation ``turn``.

    Width and height are exchanged if the sides of the picture were, and the thumbnail is unlinked.
    Everything stays at its offset in EXIF.
    """
    if not 2 <= turn <= 8:
        return exif, xmp
    data = bytearray(exif)
    with suppress(struct.error, LookupError):  # a directory beyond the end has no sides
        _turn(data, exchanged=turn >= 5)
    if turn >= 5:
        for pair in XMP_SIDES:
            xmp = _exchanged(xmp, *pair)
    return bytes(data), xmp


def with_sides(exif: bytes, xmp: bytes, width: int, height: int) -> tuple[bytes, bytes]:
    """EXIF and XMP of a picture that its decoder has turned upright itself.

    Width and height are exchanged where they fit only then. So it does not matter whether the
    orientation was in EXIF, in the picture, or in both.
    """
    data = bytearray(exif)
    if width != height:
        with suppress(struct.error, LookupError):
            order = _order(data)
            for entries, tags in _sides(data, order):
                if [_number(data, order, entries.get(tag, -1)) for tag in tags] == [height, width]:
                    _exchange(data, entries, tags)
        for pair in XMP_SIDES:
            found = [side.search(xmp) for side in pair]
            if [match and int(match[2]) for match in found] == [height, width]:
                xmp = _exchanged(xmp, *pair)
    return bytes(data), xmp


def _turn(exif: bytearray, exchanged: bool) -> None:
    order = _order(exif)
    (at,) = struct.unpack_from(f"{order}I", exif, 4)
    _, after = _directory(exif, order, at)
    if after + 4 <= len(exif):
        struct.pack_into(f"{order}I", exif, after, 0)
    if exchanged:
        for directory, tags in _sides(exif, order):
            _exchange(exif, directory, tags)


def _sides(exif: bytearray, order: str) -> Iterator[tuple[dict[int, int], tuple[int, int]]]:
    """Each directory that may have width and height, as ``_directory`` gives it, and their tags."""
    (at,) = struct.unpack_from(f"{order}I", exif, 4)
    entries, _ = _directory(exif, order, at)
    yield entries, SIDES
    if EXIF_DIRECTORY in entries:
        (at,) = struct.unpack_from(f"{order}I", exif, entries[EXIF_DIRECTORY] + 8)
        yield _directory(exif, order, at)[0], PIXEL_SIDES


def _number(exif: bytearray, order: str, entry: int) -> int | None:
    """The number of the entry of a tag; None if there is no entry, or no such number in it."""
    if entry < 0:
        return None
    (kind,) = struct.unpack_from(f"{order}H", exif, entry + 2)
    form = {SHORT: "H", LONG: "I"}.get(kind)
    return None if form is None else int(struct.unpack_from(order + form, exif, entry + 8)[0])


def _directory(exif: bytearray, order: str, at: int) -> tuple[dict[int, int], int]:
    """The offset of the entry of each tag in the directory at ``at``, and where they end."""
    (count,) = struct.unpack_from(f"{order}H", exif, at)
    places = range(at + 2, at + 2 + 12 * count, 12)
    if places.stop > len(exif):
        raise LookupError("the directory does not end")
    entries = {struct.unpack_from(f"{order}H", exif, place)[0]: place for place in places}
    return entries, places.stop


def _exchange(exif: bytearray, entries: dict[int, int], tags: tuple[int, int]) -> None:
    """Exchange type, count and value of two tags; without one of them nothing changes."""
    one, other = (entries.get(tag, -1) for tag in tags)
    if one >= 0 and other >= 0:
        first, second = slice(one + 2, one + 12), slice(other + 2, other + 12)
        exif[first], exif[second] = exif[second], exif[first]


def _exchanged(xmp: bytes, width: re.Pattern[bytes], height: re.Pattern[bytes]) -> bytes:
    """XMP with two numbers exchanged; without one of them nothing changes."""
    wide, high = width.search(xmp), height.search(xmp)
    if wide is None or high is None:
        return xmp
    xmp = width.sub(lambda found: found[1] + high[2], xmp)
    return height.sub(lambda found: found[1] + wide[2], xmp)


def _order(exif: bytearray) -> str:
    return {b"II*\0": "<", b"MM\0*": ">"}[bytes(exif[:4])]


def _upright(exif: bytearray) -> tuple[bytes, int]:
    order = _order(exif)
    (at,) = struct.unpack_from(f"{order}I", exif, 4)
    (count,) = struct.unpack_from(f"{order}H", exif, at)
    after = at + 2 + 12 * count
    turn = 0
    for entry in range(at + 2, after, 12):
        tag, kind = struct.unpack_from(f"{order}HH", exif, entry)
        if tag != ORIENTATION:
            continue
        (turn,) = struct.unpack_from(order + ("I" if kind == LONG else "H"), exif, entry + 8)
        struct.pack_into(f"{order}HIHH", exif, entry + 2, SHORT, 1, 1, 0)
        if turn != 1 and after + 4 <= len(exif):
            struct.pack_into(f"{order}I", exif, after, 0)
    return bytes(exif), turn
