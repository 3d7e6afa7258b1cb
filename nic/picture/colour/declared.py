"""Colour that a file declares by numbers, beside an ICC profile or without one: chunk c.

::

    chunk c   parts, each:
              1   kind      1 cICP, 2 gAMA, 3 cHRM, 4 sRGB, 5 mDCV, 6 cLLI
              1   length
              -   content   that of the PNG chunk of this name (PNG, third edition, section 11.3.2)

AVIF and HEIC declare the same with other boxes, which become these parts.
"""

import struct
from collections.abc import Mapping
from typing import TypeAlias

from nic.errors import CorruptError

Parts: TypeAlias = Mapping[str, bytes]  # content by the name of a PNG chunk

KINDS = {1: "cICP", 2: "gAMA", 3: "cHRM", 4: "sRGB", 5: "mDCV", 6: "cLLI"}
NUMBERS = {name: number for number, name in KINDS.items()}
SIZES = {"cICP": 4, "gAMA": 4, "cHRM": 32, "sRGB": 1, "mDCV": 24, "cLLI": 8}
UNSPECIFIED = 2  # of primaries and transfer functions, as in ITU-T H.273
PQ, HLG = 16, 18  # transfer functions
SRGB = (1, 13)  # primaries and transfer function
SRGB_GAMMA = 45455  # gAMA that the standard gives for it, and cHRM
SRGB_PRIMARIES = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
PRIMARIES = {1: "BT.709", 9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
TRANSFERS = {1: "BT.709", 8: "linear", 13: "sRGB", PQ: "PQ", HLG: "HLG"}


def parse(payload: bytes) -> dict[str, bytes]:
    """The parts of chunk c; parts of unknown kinds are left out. Raises CorruptError."""
    parts: dict[str, bytes] = {}
    at = 0
    while at < len(payload):
        number, length = payload[at], payload[at + 1] if at + 1 < len(payload) else 0
        name, content = KINDS.get(number, ""), payload[at + 2 : at + 2 + length]
        if (
            at + 2 + length > len(payload)
            or name in parts
            or len(content) != SIZES.get(name, length)
        ):
            raise CorruptError("the colour metadata is damaged")
        if name:
            parts[name] = content
        at += 2 + length
    return parts


def build(parts: Parts) -> bytes:
    """Inverse of ``parse``, in the order of the kinds."""
    return b"".join(
        bytes([number, len(parts[name])]) + parts[name]
        for number, name in KINDS.items()
        if name in parts
    )


def of_numbers(primaries: int, transfer: int) -> dict[str, bytes]:
    """The part cICP of RGB samples, from the numbers of ITU-T H.273; none if unspecified.

    YCbCr samples were turned into RGB of the full range, so nothing is left of the matrix.
    """
    known = all(0 < number < 256 and number != UNSPECIFIED for number in (primaries, transfer))
    return {"cICP": bytes([primaries, transfer, 0, 1])} if known else {}


def of_pillow(facts: Mapping[object, object]) -> dict[str, bytes]:
    """The parts that Pillow keeps in ``Image.info`` of a PNG: gAMA, cHRM and sRGB."""
    parts = {}
    gamma, primaries, intent = (facts.get(key) for key in ("gamma", "chromaticity", "srgb"))
    if isinstance(gamma, float) and 0 < gamma < 1e4:
        parts["gAMA"] = struct.pack(">I", round(gamma * 100_000))
    if isinstance(primaries, tuple) and len(primaries) == 8:
        parts["cHRM"] = struct.pack(">8I", *(round(value * 100_000) for value in primaries))
    if isinstance(intent, int) and 0 <= intent < 4:
        parts["sRGB"] = bytes([intent])
    return parts


def simplified(parts: Parts, has_icc: bool) -> dict[str, bytes]:
    """The parts without those that others override: gAMA and cHRM by sRGB or a profile."""
    overridden = has_icc or "sRGB" in parts
    return {
        name: content
        for name, content in parts.items()
        if not (overridden and name in ("gAMA", "cHRM"))
    }


def is_srgb(parts: Parts) -> bool:
    """Whether the parts mean no more than sRGB, which a picture without a word is taken for."""
    if set(parts) - {"cICP", "gAMA", "cHRM", "sRGB"}:
        return False
    if "cICP" in parts:
        return tuple(parts["cICP"][:2]) == SRGB
    gamma = int.from_bytes(parts.get("gAMA", SRGB_GAMMA.to_bytes(4, "big")), "big")
    primaries = parts.get("cHRM", SRGB_PRIMARIES)
    return "sRGB" in parts or (abs(gamma - SRGB_GAMMA) < 500 and primaries == SRGB_PRIMARIES)


def is_hdr(parts: Parts) -> bool:
    """Whether the transfer function is one of high dynamic range, which no profile expresses."""
    return parts.get("cICP", bytes(4))[1] in (PQ, HLG)


def text(parts: Parts) -> str:
    """The parts in words, for a message: ``cICP (BT.2020, PQ), mDCV``."""
    return ", ".join(map(_text, parts, parts.values()))


def _text(name: str, content: bytes) -> str:
    if name == "cICP":
        primaries, transfer = content[:2]
        words = PRIMARIES.get(primaries, str(primaries)), TRANSFERS.get(transfer, str(transfer))
        return f"{name} ({', '.join(words)})"
    return f"{name} {int.from_bytes(content, 'big') / 1e5:g}" if name == "gAMA" else name
