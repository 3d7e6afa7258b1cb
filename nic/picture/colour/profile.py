"""ICC profiles of colour that is declared by numbers, for formats that hold only profiles.

A matrix profile of ICC.1:2010, version 4.3: the chromaticities as columns of XYZ, adapted to D50
by the Bradford matrix, and one parametric curve for all channels (sections 8.3.3, 8.4.3, 10.16).
"""

import struct

import numpy as np

from nic.picture.colour.declared import UNSPECIFIED, Parts
from nic.types import Doubles

D65, C, EQUAL, DCI = (0.3127, 0.329), (0.31, 0.316), (1 / 3, 1 / 3), (0.314, 0.351)
# Chromaticities of red, green, blue and white, by the numbers of ITU-T H.273, table 2.
PRIMARIES = {
    1: ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), D65),
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), C),
    5: ((0.64, 0.33), (0.29, 0.6), (0.15, 0.06), D65),
    6: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), D65),
    7: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), C),
    9: ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), D65),
    10: ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), EQUAL),
    11: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), DCI),
    12: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), D65),
    22: ((0.63, 0.34), (0.295, 0.605), (0.155, 0.077), D65),
}
# Parameters g, a, b, c, d of the curve to linear light: (a x + b)^g from d on, c x below.
SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
BT709 = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
SMPTE240 = (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0913)
CURVES: dict[int, tuple[float, ...]] = {
    1: BT709, 4: (2.2,), 5: (2.8,), 6: BT709, 7: SMPTE240, 8: (1.0,), 11: BT709, 12: BT709,
    13: SRGB, 14: BT709, 15: BT709, 17: (2.6,),
}  # fmt: skip
D50 = np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
DATE = struct.pack(">6H", 2026, 1, 1, 0, 0, 0)  # the same file for the same picture, always


def profile(parts: Parts, grey: bool) -> bytes:
    """The ICC profile of declared colour; b"" if a matrix and a curve cannot express it.

    Args: parts: see ``nic.picture.colour.declared``. cICP goes before sRGB, and this before gAMA
        and cHRM; what is missing is that of sRGB.
    """
    primaries, curve = _numbers(parts)
    if primaries is None or curve is None:
        return b""
    adapted = _adapted(primaries)
    return b"" if adapted is None else _written(*adapted, curve, grey)


def _numbers(parts: Parts) -> tuple[Doubles | None, tuple[float, ...] | None]:
    """Chromaticities (4, 2) of red, green, blue and white, and the parameters of the curve."""
    srgb = np.array(PRIMARIES[1])
    if "cICP" in parts and UNSPECIFIED not in parts["cICP"][:2]:
        number, transfer = parts["cICP"][:2]
        known = PRIMARIES.get(number)
        return None if known is None else np.array(known), CURVES.get(transfer)
    if "sRGB" in parts:
        return srgb, SRGB
    primaries: Doubles = srgb
    curve: tuple[float, ...] = SRGB
    if "cHRM" in parts:  # white first
        values = np.array(struct.unpack(">8I", parts["cHRM"])).reshape(4, 2) / 1e5
        primaries = values[[1, 2, 3, 0]]
    if "gAMA" in parts:
        curve = (1e5 / int.from_bytes(parts["gAMA"], "big"),)
    return primaries, curve


def _adapted(primaries: Doubles) -> tuple[Doubles, Doubles] | None:
    """The columns of XYZ (3, 3) at D50 and the matrix that adapts to it; None if degenerate."""
    x, y = primaries.T
    if not (y[3] > 0 and np.isfinite(primaries).all()):
        return None
    columns = np.array([x, y, 1 - x - y])  # (3, 4): of red, green, blue and white
    white = columns[:, 3] / y[3]
    if abs(np.linalg.det(columns[:, :3])) < 1e-6:
        return None
    columns = columns[:, :3] * np.linalg.solve(columns[:, :3], white)
    adapt = np.linalg.solve(BRADFORD, np.diag(BRADFORD @ D50 / (BRADFORD @ white)) @ BRADFORD)
    matrix = adapt @ columns
    return (matrix, adapt) if np.abs(matrix).max() < 32767 else None


def _written(matrix: Doubles, adapt: Doubles, curve: tuple[float, ...], grey: bool) -> bytes:
    kind = 0 if len(curve) == 1 else 3
    para = b"para" + struct.pack(">IHH", 0, kind, 0) + _fixed(*curve)
    tags = {b"desc": _words("made by nic"), b"cprt": _words("public domain"), b"wtpt": _xyz(D50)}
    if grey:
        tags[b"kTRC"] = para
    else:
        tags[b"chad"] = b"sf32" + bytes(4) + _fixed(*adapt.ravel())
        tags |= {name + b"XYZ": _xyz(matrix[:, i]) for i, name in enumerate((b"r", b"g", b"b"))}
        tags |= {name + b"TRC": para for name in (b"r", b"g", b"b")}
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    places: dict[bytes, int] = {}
    for name, content in tags.items():
        if content not in places:  # the three curves are one
            places[content] = start + len(body)
            body += content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", places[content], len(content))
    size = start + len(body)
    space = b"GRAY" if grey else b"RGB "
    head = struct.pack(">I4sI4s4s4s", size, b"", 0x04300000, b"mntr", space, b"XYZ ") + DATE
    head += b"acsp" + bytes(28) + _fixed(*D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _fixed(*values: float) -> bytes:
    """Numbers as s15Fixed16."""
    return struct.pack(f">{len(values)}i", *(round(float(value) * 65536) for value in values))


def _xyz(values: Doubles) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(*values)


def _words(text: str) -> bytes:
    content = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">III4sII", 0, 1, 12, b"enUS", len(content), 28) + content
