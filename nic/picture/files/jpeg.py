"""JPEG files (ITU-T T.81): their frame, and files that lack only their end marker."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

START, SCAN, END = 0xD8, 0xDA, 0xD9
FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # sequential and progressive, with both entropy coders
PROGRESSIVE = {0xC2, 0xCA}
LOSSLESS, LS = {0xC3, 0xCB}, 0xF7
RESTARTS = range(0xD0, 0xD8)
ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length: TEM, RST0..7, SOI
COEFFICIENTS = 64
ROWS = 64  # of which a checksum is taken at a time
MARKER = bytes((0xFF, END))


def frame(data: bytes) -> tuple[int, int] | None:
    """The marker of the frame and the bits of its samples; None without a frame."""
    at = 2
    while (found := _segment(data, at)) is not None:
        marker, content, at = found
        if marker in FRAMES | LOSSLESS | {LS} and content:
            return marker, content[0]
    return None


def completed(data: bytes, opened: Callable[[bytes], Any]) -> bytes | None:
    """The file with an end marker, if that is all it lacks; None if pixels are missing too.

    Where pixels are missing, a decoder goes on with what follows. So the picture is decoded with
    different bytes after its end: no pixel may depend on them.

    Args:
        data: a file that Pillow found to be truncated.
        opened: opens a file with Pillow.
    Raises: Pillow's errors for damage.
    """
    if not _all_scans_begin(data):
        return None
    whole = data.rstrip(b"\xff")
    found = _sum(whole + MARKER, opened)
    follow = (first + _noise() + MARKER for first in (b"\x2a", b"\xaa", b"\x7f"))
    same = all(_sum(whole + noise, opened) == found for noise in follow)
    return whole + MARKER if same else None


def lacks_pixels(data: bytes, opened: Callable[[bytes], Any]) -> bool:
    """Whether a file has its end marker too early: no decoder says so, and all show grey instead.

    Found as in ``completed``. Of a sequential file, pictures of an eighth of the size tell the same
    in half the time; of a progressive one, whole scans may be missing too.

    Args:
        data: a file that Pillow reads. Further pictures may follow, and are then not looked at.
        opened: opens a file with Pillow.
    """
    end = data.rfind(MARKER)
    intervals = (bytes((0xFF, number)) + _noise() for number in RESTARTS)
    later = b"".join((data[:end], b"\x2a", _noise(), *intervals, MARKER))
    if end < 0:
        return False
    found = frame(data)
    progressive = found is not None and found[0] in PROGRESSIVE
    if progressive and not _all_scans_begin(data):
        return True
    try:
        return _sum(data, opened, not progressive) != _sum(later, opened, not progressive)
    except OSError:  # what was added was read as pixels
        return True


def _sum(data: bytes, opened: Callable[[bytes], Any], small: bool = False) -> int:
    """A checksum of the pixels of a file, or of a ``small`` picture of it."""
    image = opened(data)
    if small:
        image.draft(None, (1, 1))
    image.load()
    found, (width, height) = 0, image.size
    for top in range(0, height, ROWS):  # all at once, Pillow would hold several copies
        rows = image.crop((0, top, width, min(top + ROWS, height)))
        found = zlib.crc32(rows.tobytes(), found)
    return found


def _noise() -> bytes:
    """Bytes that no decoder takes for a marker."""
    return bytes((i * i * 7 + i * 31) % 251 for i in range(1024))


def _all_scans_begin(data: bytes) -> bool:
    """Whether the scans bring every bit of every coefficient; a later scan may refine an earlier.

    Annex B.2.3 and G.1.1.1: a scan has coefficients Ss to Se of some components, down to bit Al.
    """
    lowest: dict[int, list[int]] = {}  # component -> bit that each coefficient is known down to
    at = 2
    while (found := _segment(data, at)) is not None:
        marker, content, at = found
        if marker in FRAMES and len(content) >= 6:
            lowest = {number: [99] * COEFFICIENTS for number in content[6::3]}
        elif marker == SCAN and content:
            count = content[0]
            tail = content[1 + 2 * count : 4 + 2 * count]
            if len(tail) < 3:  # the file ends here
                return False
            first, last, bits = tail
            for number in content[1 : 1 + 2 * count : 2]:
                known = lowest.get(number, [0] * COEFFICIENTS)
                known[first : last + 1] = [bits & 15] * len(known[first : last + 1])
    return bool(lowest) and not any(any(known) for known in lowest.values())


def _segment(data: bytes, at: int) -> tuple[int, bytes, int] | None:
    """The next marker at or after ``at``, its content, and where to go on; None at the end."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > len(data):
            return None
        marker = data[at + 1]
        if marker in (0, 0xFF) or marker in ALONE:  # stuffing, fill bytes, no content
            at += 1 if marker == 0xFF else 2
            continue
        if marker == END:
            return None
        (length,) = struct.unpack_from(">H", data, at + 2)
        return marker, data[at + 4 : at + 2 + length], at + 2 + length
