"""PNG files of 16 bits per sample, and TIFF files of 8 or 16, by other libraries than Pillow.

Pillow reads and writes 16 bits only for grey, and writes no compressed TIFF with EXIF. PNG goes
through imagecodecs (libpng), TIFF through tifffile. Both take the same settings as Pillow's
writers, so that metadata is the same with 8 and with 16 bits.
"""

import io
import struct
from typing import Any

import numpy as np

from nic.errors import CorruptError, NicError
from nic.models.quiet import loggers_quiet, native_stderr_closed
from nic.picture.png import chunks_of
from nic.types import Pixels

HEAD = 33  # bytes of a PNG file up to the end of its chunk IHDR
OURS = (b"IHDR", b"IDAT", b"IEND")  # chunks that libpng writes
UP = 32  # libpng's flag for the filter that subtracts the row above; alone it is fast
MAX_TIFF = 0xF0000000  # bytes of samples; offsets in a TIFF file have 32 bits
EXIF_START = 14  # bytes of Pillow's EXIF before its first directory, with JPEG's prefix


def read_png(data: bytes) -> Pixels:
    """The samples of a PNG of 16 bits: uint16 (H, W) or (H, W, 2..4), alpha last.

    A transparent colour (chunk tRNS) becomes alpha. Raises: CorruptError.
    """
    import imagecodecs

    try:
        with loggers_quiet(), native_stderr_closed():  # libpng warns
            return np.asarray(imagecodecs.png_decode(data), np.uint16)
    except imagecodecs.PngError as error:
        raise CorruptError(f"the picture is damaged: {error}") from error


def write_png(samples: Pixels, settings: dict[str, Any]) -> bytes:
    """The bytes of a PNG of uint16 (H, W) or (H, W, 2..4), alpha last.

    Args: settings: those of Pillow's writer; it writes the chunks of metadata.
    """
    import imagecodecs
    from PIL import Image

    level = settings["compress_level"]
    data = bytes(imagecodecs.png_encode(np.ascontiguousarray(samples), level, filter=UP))
    small = io.BytesIO()
    Image.new("L", (1, 1)).save(small, "PNG", **settings)
    file = small.getvalue()
    kept = [file[c.start : c.stop] for c in chunks_of(file) if c.kind not in OURS]
    return b"".join([data[:HEAD], *kept, data[HEAD:]]) if kept else data


def write_tiff(samples: Pixels, settings: dict[str, Any]) -> bytes:
    """The bytes of a TIFF of samples (H, W) or (H, W, 2..4), alpha last.

    Args: settings: those of Pillow's writer: ``exif``, and perhaps ``icc_profile``.
    Raises: NicError when a TIFF cannot hold so many samples.
    """
    import tifffile

    if samples.nbytes > MAX_TIFF:
        raise NicError("a TIFF file cannot hold more than 4 GB; use another format")
    count = 1 if samples.ndim == 2 else samples.shape[2]
    out = io.BytesIO()
    with tifffile.TiffWriter(out, bigtiff=False, byteorder="<") as writer:
        writer.write(
            samples,
            photometric="rgb" if count > 2 else "minisblack",
            planarconfig="contig" if count > 1 else None,
            extrasamples=["unassalpha"] if count in (2, 4) else None,
            compression="lzw",
            predictor=True,
            metadata=None,
            software=False,
            iccprofile=settings.get("icc_profile"),
        )
    return _with_tags(out.getvalue(), settings["exif"])


def _with_tags(data: bytes, tags: bytes) -> bytes:
    """A little-endian TIFF file with the tags and directories of EXIF added.

    tifffile writes no directory of EXIF or GPS. So Pillow writes the tags for a place after the
    end of the file, and a new directory there lists them together with those of the picture.
    """
    from PIL import Image

    exif = Image.Exif()
    exif.load(tags)
    if not exif:
        return data
    exif.endian = "<"
    start = len(data) + len(data) % 2
    block = bytes(exif.tobytes(start))[EXIF_START:]
    entries = _entries(data, int.from_bytes(data[4:8], "little")) | _entries(block, 0)
    merged = [struct.pack("<H", len(entries)), *(entries[tag] for tag in sorted(entries)), bytes(4)]
    head = data[:4] + struct.pack("<I", start + len(block))
    return b"".join([head, data[8:], bytes(start - len(data)), block, *merged])


def _entries(data: bytes, at: int) -> dict[int, bytes]:
    """The entries of a little-endian directory of TIFF, 12 bytes each, by tag."""
    (count,) = struct.unpack_from("<H", data, at)
    places = range(at + 2, at + 2 + 12 * count, 12)
    return {int.from_bytes(data[i : i + 2], "little"): data[i : i + 12] for i in places}
