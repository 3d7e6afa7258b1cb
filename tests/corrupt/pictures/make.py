#!/usr/bin/env python3
"""Write the broken pictures of this folder, each named by its fault.

    tests/corrupt/pictures/make.py [FOLDER]

PNG, BMP, PNM, GIF and TIFF are spelt out byte by byte, so that every version of Pillow meets the
same files. JPEG and WebP cannot be: their sound pictures, which Pillow wrote once, are here as
sound.jpeg and sound.webp, and the broken ones are made from those.
"""

import struct
import sys
import zlib
from pathlib import Path

HERE = Path(__file__).parent
W, H = 12, 9
ROWS = [
    bytes((7 * x + 11 * y + 50 * c) % 256 for x in range(W) for c in range(3)) for y in range(H)
]
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind, data, flip=0):
    """A PNG chunk; ``flip`` damages its checksum."""
    return (
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data) ^ flip)
    )


def png(width=W, height=H, depth=8, colour=2, rows=None, before=b"", flip=0, method=0):
    """A PNG, by default sound."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, method, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in (ROWS if rows is None else rows)))
    return (
        SIGNATURE + chunk(b"IHDR", head) + before + chunk(b"IDAT", data, flip) + chunk(b"IEND", b"")
    )


def bmp(width=W, height=H, depth=24, compression=0):
    """A BMP of bottom-up rows."""
    body = b"".join(row + bytes(-len(row) % 4) for row in ROWS)
    info = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, depth, compression, len(body), 0, 0, 0, 0
    )
    return struct.pack("<2sIHHI", b"BM", 54 + len(body), 0, 0, 54) + info + body


def tiff(width=W, height=H, compression=1, data=None, offset=None):
    """A little-endian TIFF of one strip."""
    data = b"".join(ROWS) if data is None else data
    entries = [
        (256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, compression), (262, 3, 2),
        (273, 4, 8 if offset is None else offset), (277, 3, 3), (278, 4, height),
        (279, 4, len(data)),
    ]  # fmt: skip
    table = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    start = 8 + len(data)
    return (
        b"II*\0"
        + struct.pack("<I", start)
        + data
        + struct.pack("<H", len(entries))
        + table
        + bytes(4)
    )


def gif(
    width=W,
    height=H,
    data=b"\x02\x16\x8c\x2d\x99\x87\x2a\x1c\xdc\x33\xa0\x02\x75\xec\x95\xfa\xa8\xde\x60\x8c\x04\x91\x4c\x01\x00",
):
    """A GIF of four colours; ``data`` is its LZW stream."""
    palette = bytes.fromhex("ffffff0000ff00ff00ff0000")
    return (
        b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF1, 0, 0) + palette
        + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + data + b";"
    )  # fmt: skip


def bomb():
    """40000x40000 grey pixels in 1.6 kB: deflate's limit is 1032 to 1, so only the start."""
    packer = zlib.compressobj(9)
    data = packer.compress(bytes(1 << 20)) + packer.flush()
    head = struct.pack(">IIBBBBB", 40000, 40000, 8, 0, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


PNM = b"P6\n%d %d\n255\n" % (W, H) + b"".join(ROWS)
PALETTE = chunk(b"PLTE", bytes(range(6)))
FILES = {
    "sound.png": png(),
    "sound.bmp": bmp(),
    "sound.tiff": tiff(),
    "sound.gif": gif(10, 10),
    "sound.ppm": PNM,
    "empty.png": b"",
    "signature_alone.png": SIGNATURE,
    "text.png": b"This is no picture.\n",
    "html.jpeg": b"<!DOCTYPE html><title>404 Not Found</title>\n",
    "zeros.bmp": bytes(200),
    "postscript.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 12 9\nshowpage\n",
    "truncated.png": png()[:-40],
    "truncated_in_header.png": png()[:20],
    "checksum_of_header.png": SIGNATURE + png()[8:29] + b"abcd" + png()[33:],
    "checksum_of_data.png": png(flip=0xFFFF),
    "width_0.png": png(width=0),
    "height_0.png": png(height=0),
    "bit_depth_3.png": png(depth=3),
    "colour_type_5.png": png(colour=5),
    "palette_missing.png": png(colour=3, rows=[row[:W] for row in ROWS]),
    "rows_missing.png": png(rows=ROWS[:3]),
    "data_missing.png": SIGNATURE + png()[8:33] + chunk(b"IEND", b""),
    "data_not_deflated.png": SIGNATURE
    + png()[8:33]
    + chunk(b"IDAT", bytes(90))
    + chunk(b"IEND", b""),
    "sixteen_bits_cut.png": png(depth=16, rows=[row + row for row in ROWS])[:-60],
    "bomb_40000.png": bomb(),
    "claims_2_to_31.png": png(width=2**31 - 1, height=2**31 - 1),
    "truncated.bmp": bmp()[:-50],
    "claims_a_gigapixel.bmp": bmp(1 << 16, 1 << 15),
    "depth_5.bmp": bmp(depth=5),
    "compression_9.bmp": bmp(compression=9),
    "truncated.tiff": tiff()[:-30],
    "strip_beyond_the_end.tiff": tiff(offset=1 << 20),
    "lzw_garbage.tiff": tiff(compression=5, data=bytes(range(100, 200))),
    "deflate_garbage.tiff": tiff(compression=8, data=bytes(range(100, 200))),
    "compression_unknown.tiff": tiff(compression=777),
    "claims_a_terapixel.tiff": tiff(1 << 20, 1 << 20),
    "truncated.gif": gif(10, 10)[:40],
    "width_0.gif": gif(width=0),
    "claims_65535.gif": gif(65535, 65535),
    "truncated.ppm": PNM[:-5],
    "width_0.ppm": b"P6\n0 9\n255\n",
    "width_no_number.ppm": b"P6\nabc 9\n255\n" + b"".join(ROWS),
    "maximum_0.ppm": b"P6\n12 9\n0\n" + b"".join(ROWS),
    "header_cut.pgm": b"P5\n12",
    "claims_a_terapixel.pgm": b"P5\n1000000 1000000\n255\n\0\0",
}


def from_sound(folder):
    """What is made from the sound JPEG and WebP."""
    jpeg, webp = (folder / f"sound.{name}" for name in ("jpeg", "webp"))
    jpeg, webp = jpeg.read_bytes(), webp.read_bytes()
    frame = jpeg.index(b"\xff\xc0")  # then length, precision, height, width
    scan = jpeg.index(b"\xff\xda")
    return {
        "truncated.jpeg": jpeg[:-60],
        "truncated_in_tables.jpeg": jpeg[: frame - 40],
        "frame_missing.jpeg": jpeg[:frame] + jpeg[scan:],
        "height_0.jpeg": jpeg[: frame + 5] + b"\0\0" + jpeg[frame + 7 :],
        "claims_65535.jpeg": jpeg[: frame + 5] + b"\xff\xff\xff\xff" + jpeg[frame + 9 :],
        "components_9.jpeg": jpeg[: frame + 9] + b"\x09" + jpeg[frame + 10 :],
        "truncated.webp": webp[:-30],
        "length_of_riff.webp": webp[:4] + b"\xff\xff\xff\x7f" + webp[8:],
        "garbage_inside.webp": webp[:30] + bytes(30) + webp[60:],
    }


def main(folder):
    """Write every picture."""
    for name, data in (FILES | from_sound(HERE)).items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
