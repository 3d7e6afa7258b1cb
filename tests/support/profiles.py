"""Colour for tests, computed without the library: chunks of PNG, a CMYK profile, and CIELAB."""

import struct
import zlib

import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])


def png_chunk(kind, content):
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def with_chunks(png, *chunks):
    """A PNG file with chunks, pairs of kind and content, after its header."""
    return png[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + png[33:]


def chunks_of(png):
    """The chunks of a PNG file by kind; each checksum must hold."""
    found, at = {}, 8
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        content = png[at + 8 : at + 8 + length]
        assert png_chunk(kind, content) == png[at : at + 12 + length]
        found.setdefault(kind, content)
        at += 12 + length
    return found


def lab_of(rgb, chromaticities, to_linear):
    """CIELAB under D50 of RGB in 0..1 (N, 3), by the equations of CIE 15 and Bradford's matrix.

    Args: chromaticities: x and y of red, green, blue and white; to_linear: a function of arrays.
    """
    xyz = np.array([(x / y, 1, (1 - x - y) / y) for x, y in chromaticities])
    matrix = xyz[:3].T * np.linalg.solve(xyz[:3].T, xyz[3])
    cone = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367],
                     [0.0389, -0.0685, 1.0296]])  # fmt: skip
    adapt = np.linalg.inv(cone) @ np.diag((cone @ D50) / (cone @ xyz[3])) @ cone
    t = to_linear(np.asarray(rgb)) @ (adapt @ matrix).T / D50
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    )


# Lab of the 16 corners of CMYK, black varying fastest.
INKS = {
    tuple(int(bit) for bit in f"{corner:04b}"): lab
    for corner, lab in enumerate(
        [(100, 0, 0), (10, 0, 0), (90, -5, 90), (9, 0, 4), (50, 70, 0), (8, 4, 0), (48, 65, 45),
         (8, 4, 2), (60, -35, -50), (9, -2, -3), (50, -65, 25), (8, -4, 1), (25, 20, -45),
         (7, 1, -3), (22, 0, 0), (6, 0, 0)]
    )
}  # fmt: skip


def cmyk_profile():
    """An ICC profile of a printer with the colours ``INKS``, linear between them."""
    ramp = bytes(range(256))
    table = b"".join(
        bytes([round(L * 2.55), round(a + 128), round(b + 128)]) for L, a, b in INKS.values()
    )
    identity = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + ramp * 4 + table + ramp * 3
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"inks\0" + bytes(78)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in D50))
    copy = b"text" + bytes(4) + b"none\0"
    tags = {b"desc": text, b"cprt": copy, b"wtpt": white, b"A2B0": lut}
    directory, body, start = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        directory += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", *(round(v * 65536) for v in D50))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + directory + body
