"""Picture files made for tests, without the library."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def saved(image, name="PNG", **settings):
    """An array or a Pillow image as the bytes of a file."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    out = io.BytesIO()
    image.save(out, name, **settings)
    return out.getvalue()


def raw_png(samples, colour_type, *transparent):
    """A 16-bit PNG from >u2 (H, W, channels), which Pillow does not write for colour."""

    def chunk(kind, data):
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    h, w = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    head = struct.pack(">IIBBBBB", w, h, 16, colour_type, 0, 0, 0)
    key = chunk(b"tRNS", np.array(transparent, ">u2").tobytes()) if transparent else b""
    parts = chunk(b"IHDR", head), key, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
