"""Orientation in EXIF and XMP: read, and set to "upright"."""

import logging
import re
import struct

log = logging.getLogger("nic")

ORIENTATION = 0x0112
XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>)\s*)([1-8])(?![0-9])""")
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


def _upright(exif: bytearray) -> tuple[bytes, int]:
    order = {b"II*\0": "<", b"MM\0*": ">"}[bytes(exif[:4])]
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
