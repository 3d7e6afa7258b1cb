"""PAM, netpbm's format P7 with transparency, which Pillow does not read or write."""

import numpy as np

from nic.errors import CorruptError, UsageError
from nic.limits import Limit, Work
from nic.picture.files.pnm import body, note_next
from nic.picture.pixels import scaled
from nic.types import Pixels, peak

MAGIC = b"P7\n"
END = b"\nENDHDR\n"
MAX_HEADER = 1 << 16  # bytes
DEPTHS = {"BLACKANDWHITE": 1, "GRAYSCALE": 1, "BLACKANDWHITE_ALPHA": 2, "GRAYSCALE_ALPHA": 2,
          "RGB": 3, "RGB_ALPHA": 4}  # fmt: skip
TYPES = {1: "GRAYSCALE", 2: "GRAYSCALE_ALPHA", 3: "RGB", 4: "RGB_ALPHA"}


def read(data: bytes, limit: Limit) -> Pixels:
    """The first picture of a PAM file: (H, W, C), C of 1 to 4, alpha last.

    It is uint8, or uint16 if samples have more than 8 bits.

    Raises: CorruptError for damage, UsageError for tuples of another type, NicError when the
        picture is larger than ``limit``.
    """
    stop = data.find(END, 0, MAX_HEADER)
    if stop < 0:
        raise CorruptError("the picture is damaged: its PAM header does not end")
    width, height, depth, most = _facts(data[len(MAGIC) : stop + 1])
    limit.check(width, height, Work.PICTURE)
    kind = np.dtype(">u2" if most > 255 else "u1")
    count, start = width * height * depth, stop + len(END)
    if len(data) - start < count * kind.itemsize:
        raise CorruptError("the picture is damaged: it ends before its last row")
    note_next(data, start + count * kind.itemsize)
    values = np.frombuffer(data, kind, count, start)
    return scaled(values.reshape(height, width, depth), most)


def write(samples: Pixels) -> bytes:
    """The bytes of a PAM file of samples (H, W) or (H, W, C), C of 1 to 4, alpha last."""
    height, width, depth = samples.reshape(*samples.shape[:2], -1).shape
    shape = f"WIDTH {width}\nHEIGHT {height}\nDEPTH {depth}"
    head = f"{shape}\nMAXVAL {peak(samples)}\nTUPLTYPE {TYPES[depth]}"
    return MAGIC + head.encode() + END + body(samples)


def _facts(head: bytes) -> tuple[int, int, int, int]:
    """Width, height, depth and maximum of samples, from the lines of a header."""
    found: dict[str, str] = {}
    for line in head.decode("ascii", "replace").splitlines():
        key, _, value = line.strip().partition(" ")
        if key and not key.startswith("#"):
            found[key] = f"{found.get(key, '')} {value.strip()}".strip()
    numbers = [found.get(key, "") for key in ("WIDTH", "HEIGHT", "DEPTH", "MAXVAL")]
    if not all(n.isdecimal() and 0 < len(n) < 10 for n in numbers):
        raise CorruptError("the picture is damaged: its PAM header lacks a number")
    width, height, depth, most = map(int, numbers)
    kind = found.get("TUPLTYPE") or TYPES.get(depth, "")
    if DEPTHS.get(kind) != depth:
        raise UsageError(f"PAM pictures of type {kind!r} with {depth} channels are not read")
    if not (width and height and 0 < most < 65536):
        raise CorruptError("the picture is damaged: an impossible number in its PAM header")
    return width, height, depth, most
