"""Kinds of files that nic does not read, told apart by their first bytes, each with a remedy."""

import struct
from typing import NamedTuple

from nic.picture.files import jpeg


class Kind(NamedTuple):
    """A kind of file: its name for people, and what to do with it."""

    name: str
    remedy: str


CONVERT = "convert it to PNG or TIFF first"
DEVELOP = "develop it to TIFF or PNG first"
FRAME = "save one frame of it as PNG first"
UNPACK = "unpack it first"
AS_TIFF = "save it as TIFF first"
RENDER = "render it to PNG first"

# The first three bytes of brands of ISO media; HEIF and AVIF have other ones.
FILMS = (b"iso", b"mp4", b"avc", b"M4V", b"qt ", b"3gp", b"3g2", b"MSN", b"das", b"f4v")
# Offset, bytes there, kind. The first row that fits is the answer.
SIGNATURES: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"\0\5\x16\7", Kind("macOS's data about another file (AppleDouble)", "leave it out")),
    (0, b"version https://git-lfs", Kind("a pointer of Git LFS", "run 'git lfs pull' first")),
    (4, b"ftypcrx ", Kind("a raw photograph (CR3)", DEVELOP)),
    (0, b"FUJIFILMCCD-RAW", Kind("a raw photograph (RAF)", DEVELOP)),
    (0, b"FOVb", Kind("a raw photograph (X3F)", DEVELOP)),
    (0, b"IIRO", Kind("a raw photograph (ORF)", DEVELOP)),
    (0, b"IIRS", Kind("a raw photograph (ORF)", DEVELOP)),
    (0, b"IIU\0", Kind("a raw photograph (RW2)", DEVELOP)),
    (0, b"\0MRM", Kind("a raw photograph (MRW)", DEVELOP)),
    (0, b"HEAPCCDR", Kind("a raw photograph (CRW)", DEVELOP)),
    (6, b"HEAPCCDR", Kind("a raw photograph (CRW)", DEVELOP)),
    (0, b"II\xbc", Kind("JPEG XR", CONVERT)),
    (0, b"8BPS\0\2", Kind("a large Photoshop file (PSB)", AS_TIFF)),
    (0, b"\xabKTX ", Kind("a texture (KTX)", CONVERT)),
    (2048, b"PCD_", Kind("a Photo CD picture (PCD)", CONVERT)),
    (0, b"BPG\xfb", Kind("BPG", CONVERT)),
    (0, b"FLIF", Kind("FLIF", CONVERT)),
    (0, b"\x76\x2f\x31\x01", Kind("OpenEXR", CONVERT)),
    (0, b"#?RADIANCE", Kind("Radiance HDR", CONVERT)),
    (0, b"#?RGBE", Kind("Radiance HDR", CONVERT)),
    (0, b"PF\n", Kind("PFM, with floating-point samples", CONVERT)),
    (0, b"Pf\n", Kind("PFM, with floating-point samples", CONVERT)),
    (0, b"SIMPLE  =", Kind("FITS", CONVERT)),
    (128, b"DICM", Kind("DICOM", CONVERT)),
    (0, b"\x93NUMPY", Kind("a NumPy array", "give it to nic.compress in Python")),
    (0, b"gimp xcf", Kind("a GIMP picture (XCF)", "export it as PNG first")),
    (0, b"AT&TFORM", Kind("DjVu", RENDER)),
    (0, b"\x8aMNG\r\n\x1a\n", Kind("MNG", FRAME)),
    (0, b"\x8bJNG\r\n\x1a\n", Kind("JNG", CONVERT)),
    (0, b"/* XPM", Kind("XPM", CONVERT)),
    (0, b"\xd7\xcd\xc6\x9a", Kind("WMF", RENDER)),
    (40, b" EMF", Kind("EMF", RENDER)),
    (0, b"%PDF-", Kind("PDF", RENDER)),
    (0, b"%!PS", Kind("PostScript", RENDER)),
    (0, b"\xc5\xd0\xd3\xc6", Kind("PostScript (EPS)", RENDER)),
    (0, b"\x1aE\xdf\xa3", Kind("a film (Matroska or WebM)", FRAME)),
    (8, b"AVI ", Kind("a film (AVI)", FRAME)),
    *((4, b"ftyp" + brand, Kind("a film (MP4 or MOV)", FRAME)) for brand in FILMS),
    (0, b"FLV\1", Kind("a film (FLV)", FRAME)),
    (0, b"\0\0\1\xba", Kind("a film (MPEG)", FRAME)),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind("a film (WMV)", FRAME)),
    (0, b"OggS", Kind("Ogg", FRAME)),
    (0, b"Rar!\x1a\7", Kind("a RAR archive", UNPACK)),
    (0, b"PK\x03\x04", Kind("a ZIP archive", UNPACK)),
    (0, b"\x1f\x8b", Kind("a gzip file", UNPACK)),
    (0, b"\x28\xb5\x2f\xfd", Kind("a Zstandard file", UNPACK)),
    (0, b"\xfd7zXZ\0", Kind("an xz file", UNPACK)),
    (0, b"BZh", Kind("a bzip2 file", UNPACK)),
    (0, b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive", UNPACK)),
    (257, b"ustar", Kind("a tar archive", UNPACK)),
)
TAGS = ((b"<svg", Kind("SVG", RENDER)), (b"<html", Kind("a web page", "save the picture itself")),
        (b"<!doctype html", Kind("a web page", "save the picture itself")))  # fmt: skip
HEAD = 1024  # bytes in which text says what it is


def kind_of(data: bytes) -> Kind | None:
    """The kind of a file that is no picture for nic; None if it is not known either."""
    for at, signature, kind in SIGNATURES:
        if data.startswith(signature, at):
            return kind
    variant = _jpeg(data) or _photoshop(data) or _bitmap(data)
    if variant is not None:
        return variant
    head = data[:HEAD].lower().lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"<"):
        return next((kind for tag, kind in TAGS if tag in head), None)
    return None


def _jpeg(data: bytes) -> Kind | None:
    """The kind of a JPEG that Pillow cannot read, by its frame."""
    marker, bits = (jpeg.frame(data) if data.startswith(b"\xff\xd8") else None) or (0, 0)
    if marker == jpeg.LS:
        return Kind("JPEG-LS", CONVERT)
    if marker in jpeg.LOSSLESS and 2 <= bits <= 16:
        return Kind(f"a lossless JPEG of {bits} bits per sample", CONVERT)
    return Kind("a JPEG of 12 bits per sample", CONVERT) if bits == 12 else None


def _photoshop(data: bytes) -> Kind | None:
    """The kind of a Photoshop file that Pillow cannot read, by its bits per sample."""
    bits = int.from_bytes(data[22:24], "big")
    if data.startswith(b"8BPS\0\1") and bits in (16, 32):
        return Kind(f"a Photoshop file of {bits} bits per sample", AS_TIFF)
    return None


def _bitmap(data: bytes) -> Kind | None:
    """The kind of a BMP that Pillow cannot read, by its bits per pixel and its compression."""
    if not data.startswith(b"BM") or len(data) < 54:
        return None
    bits, compression = struct.unpack_from("<HI", data, 28)
    if compression in (3, 6) and bits in (16, 32):
        return Kind(f"a BMP of {bits} bits per pixel with rare places for its colours", CONVERT)
    if compression in (4, 5) and bits == 0:
        return Kind(f"a BMP that holds a {'JPEG' if compression == 4 else 'PNG'}", CONVERT)
    return Kind(f"a BMP of {bits} bits per pixel", CONVERT) if bits in (2, 64) else None
