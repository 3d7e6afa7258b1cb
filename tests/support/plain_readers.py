"""Readers of PNG, PGM, PPM and PAM in plain Python, written from their specifications.

With tifffile for TIFF and NumPy for npy, they see what a written file holds without any code of
the library, and without the packages that wrote it.
"""

import io
import struct
import zlib

import numpy as np

SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}  # per pixel, by colour type of PNG


def chunks(data):
    """(kind, payload) of every chunk of a PNG; checks the checksums."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        (checksum,) = struct.unpack_from(">I", data, end)
        assert checksum == zlib.crc32(data[at + 4 : end])
        found.append((data[at + 4 : at + 8], data[at + 8 : end]))
        at = end + 4
    assert found[-1][0] == b"IEND"
    return found


def paeth(a, b, c):
    """The predictor of PNG, section 9.4."""
    p = a + b - c
    distances = abs(p - a), abs(p - b), abs(p - c)
    return (a, b, c)[distances.index(min(distances))]


def png(data):
    """The samples of a PNG of 8 or 16 bits that is not interlaced: (H, W) or (H, W, 2..4)."""
    parts = chunks(data)
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", parts[0][1])
    assert depth in (8, 16)
    assert not interlaced
    count = SAMPLES[colour]
    step = count * depth // 8
    raw = zlib.decompress(b"".join(payload for kind, payload in parts if kind == b"IDAT"))
    size, before, rows = width * step, bytes(width * step), []
    for top in range(0, len(raw), size + 1):
        kind, row = raw[top], bytearray(raw[top + 1 : top + 1 + size])
        for i in range(size):
            a = row[i - step] if i >= step else 0
            b = before[i]
            c = before[i - step] if i >= step else 0
            row[i] = (row[i] + (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]) % 256
        rows.append(bytes(row))
        before = rows[-1]
    assert len(rows) == height
    kind = ">u2" if depth == 16 else "u1"
    samples = np.frombuffer(b"".join(rows), kind).reshape(height, width, count)
    return samples.astype(kind[-2:])[..., 0] if count == 1 else samples.astype(kind[-2:])


def pnm(data):
    """The samples of a binary PGM or PPM whose header has three lines and no comment."""
    kind, sides, most, body = data.split(b"\n", 3)
    width, height = map(int, sides.split())
    return _samples(body, (height, width) if kind == b"P5" else (height, width, 3), int(most))


def pam(data):
    """The samples of a PAM, and its tuple type."""
    head, body = data.split(b"ENDHDR\n", 1)
    facts = dict(line.split(" ", 1) for line in head.decode().splitlines()[1:])
    height, width, depth, most = (int(facts[key]) for key in ("HEIGHT", "WIDTH", "DEPTH", "MAXVAL"))
    samples = _samples(body, (height, width, depth), most)
    return samples[..., 0] if depth == 1 else samples


def _samples(body, shape, most):
    assert most in (255, 65535)
    kind = np.dtype(">u2" if most == 65535 else "u1")
    assert len(body) == np.prod(shape) * kind.itemsize
    return np.frombuffer(body, kind).reshape(shape).astype(kind.newbyteorder("="))


def tiff(data):
    """The samples of a TIFF, by tifffile."""
    import tifffile

    return tifffile.TiffFile(io.BytesIO(data)).pages[0].asarray()


def npy(data):
    """The samples of an .npy file."""
    return np.load(io.BytesIO(data))


READERS = {"png": png, "tiff": tiff, "ppm": pnm, "pgm": pnm, "pam": pam, "npy": npy}
