"""PGM and PPM, netpbm's formats P2, P3, P5 and P6: headers, and samples of more than 8 bits.

Binary files whose greatest sample is 255 are read here too, as Pillow's import takes longer. Pillow
reads the others.
"""

import logging
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nic.errors import CorruptError
from nic.limits import Limit, Work
from nic.picture.pixels import scaled
from nic.types import Pixels, peak

log = logging.getLogger("nic")

# Header of PGM and PPM: kind, width, height and maximum, separated by white space and comments.
_GAP = rb"(?:[ \t\r\n\v\f]|#[^\r\n]*[\r\n])+"
PNM = re.compile(rb"P([2356])" + (_GAP + rb"([0-9]{1,9})") * 3 + rb"[ \t\r\n\v\f]")
BITMAP = rb"P(4)" + (_GAP + rb"([0-9]{1,9})") * 2 + rb"[ \t\r\n\v\f]"
NEXT = rb"[ \t\r\n]*P[1-7][ \t\r\n#]"  # the start of another picture
COMMENT = rb"#[^\r\n]*"
PLAIN = (b"2", b"3")  # kinds with samples as text
GREY = (b"2", b"5")
PIECE = 1 << 20  # bytes of text that are read at a time
SHORT = "the picture is damaged: it ends before its last row"


def is_deep(head: re.Match[bytes] | None) -> bool:
    """Whether a header, a match of ``PNM``, says more than 8 bits per sample."""
    return head is not None and head[1] != b"4" and int(head[4]) > 255


def is_read_here(head: re.Match[bytes]) -> bool:
    """Whether ``read`` reads the file of a header, a match of ``PNM``."""
    return is_deep(head) or (head[1] not in PLAIN and int(head[4]) == 255)


def read(data: bytes, head: re.Match[bytes], limit: Limit) -> Pixels:
    """The first picture of a file: uint16 (H, W[, 3]), or uint8 if the greatest sample is 255.

    Raises: CorruptError for damage, NicError when the picture is larger than ``limit``.
    """
    width, height, most = (int(head[i]) for i in (2, 3, 4))
    limit.check(width, height, Work.PICTURE)
    check_most(most)
    if not (width and height):
        raise CorruptError("the picture is damaged: it has no pixels")
    shape = (height, width) if head[1] in GREY else (height, width, 3)
    count = int(np.prod(shape))
    if head[1] in PLAIN:
        values = _numbers(data[head.end() :], count)
        return scaled(values.reshape(shape), most)
    kind: np.dtype[Any] = np.dtype(np.uint8 if most == 255 else ">u2")
    if len(data) - head.end() < kind.itemsize * count:
        raise CorruptError(SHORT)
    samples: Pixels = np.frombuffer(data, kind, count, head.end()).reshape(shape)
    return samples if most == 255 else scaled(samples, most)


def note_further(data: bytes) -> None:
    """Log a note if another picture follows the first one of a binary PBM, PGM or PPM."""
    head = re.match(BITMAP, data) if data.startswith(b"P4") else PNM.match(data)
    if head is None or head[1] in PLAIN:
        return
    width, height = int(head[2]), int(head[3])
    across = -(-width // 8) if head[1] == b"4" else width * (1 if head[1] in GREY else 3)
    note_next(data, head.end() + height * across * (2 if is_deep(head) else 1))


def note_next(data: bytes, at: int = 0) -> None:
    """Log a note if another picture of netpbm's formats starts at this place."""
    if at < len(data) and re.compile(NEXT).match(data, at):
        log.warning("note: only the first of several pictures is coded")


def head(width: int, height: int, grey: bool, white: int) -> bytes:
    """The header of a binary PGM or PPM whose greatest sample is ``white``."""
    return b"P%d\n%d %d\n%d\n" % (5 if grey else 6, width, height, white)


def body(pixels: Pixels) -> memoryview:
    """The bytes of the samples of a binary PGM or PPM; those of 16 bits are big-endian."""
    order = pixels.dtype.newbyteorder(">")
    return as_bytes(np.ascontiguousarray(pixels, order))


def as_bytes(samples: NDArray[Any]) -> memoryview:
    """The memory of a contiguous array."""
    return samples.reshape(-1).view(np.uint8).data


def write(pixels: Pixels) -> bytes:
    """The bytes of a PGM of pixels (H, W), or of a PPM of pixels (H, W, 3)."""
    height, width = pixels.shape[:2]
    return head(width, height, pixels.ndim == 2, peak(pixels)) + body(pixels)


def check_most(most: int) -> None:
    """Raises CorruptError when no sample can have this maximum."""
    if not 0 < most < 65536:
        raise CorruptError(f"the picture is damaged: {most} is no maximum of samples")


def _numbers(text: bytes, count: int) -> NDArray[np.int64]:
    """The first ``count`` samples of a plain file, without its comments.

    The text is read in pieces, because a list of all its words would take 20 times its size.
    """
    text = re.sub(COMMENT, b"", text)
    if len(text) < 2 * count - 1:
        raise CorruptError(SHORT)
    values, filled, at = np.empty(count, np.int64), 0, 0
    while filled < count and at < len(text):
        gap = re.compile(rb"\s").search(text, at + PIECE)
        stop = gap.start() if gap else len(text)
        words = text[at:stop].split(None, count - filled)[: count - filled]
        try:
            values[filled : filled + len(words)] = list(map(int, words))
        except (ValueError, OverflowError) as error:
            raise CorruptError("the picture is damaged: a sample is not a number") from error
        filled, at = filled + len(words), stop
    if filled < count:
        raise CorruptError(SHORT)
    return values
