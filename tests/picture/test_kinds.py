"""The table of kinds: format x depth x alpha x colour, in and out; what is kept, what is noted.

What comes in is written by other libraries, and what goes out is read by other libraries.
"""

import io
import logging
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from profiles import chunks_of, with_chunks

from nic.picture.colour import declared, profile
from nic.picture.formats import FORMATS
from nic.picture.metadata import Metadata
from nic.picture.pixels import Picture
from nic.picture.readers import read
from nic.picture.writers import write

tifffile = pytest.importorskip("tifffile")
imagecodecs = pytest.importorskip("imagecodecs")

H, W = 24, 40
Y, X = np.mgrid[:H, :W]
DEEP = np.stack([2700 * Y, 1600 * X + 11 * Y, 65535 - 1600 * X], axis=-1).astype(np.uint16)
ALPHA = np.clip(2000 * X - 3000, 0, 65535).astype(np.uint16)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLOURS = {
    "nothing": {},
    "ICC": {"icc": ICC},
    "sRGB": {"sRGB": b"\1"},
    "linear": {"gAMA": struct.pack(">I", 100_000)},
    "P3": {"cICP": b"\x0c\x0d\0\1"},
    "PQ": {"cICP": b"\x09\x10\0\1", "cLLI": struct.pack(">II", 10_000_000, 2_000_000)},
}


def samples_of(depth, grey, alpha):
    """The ramp: (H, W) or (H, W, 2..4), alpha last."""
    planes = [DEEP[..., 1]] if grey else [*np.moveaxis(DEEP, 2, 0)]
    samples = np.dstack([*planes, *([ALPHA] * alpha)])
    samples = samples[..., 0] if samples.shape[2] == 1 else samples
    return samples if depth == 16 else np.rint(samples / 257).astype(np.uint8)


# -- in ---------------------------------------------------------------------------------------


def png(samples, icc=b"", **parts):
    chunks = [(b"iCCP", b"p\0\0" + zlib.compress(icc))] if icc else []
    chunks += [(name.encode(), content) for name, content in parts.items()]
    return with_chunks(imagecodecs.png_encode(np.ascontiguousarray(samples)), *chunks)


def tiff(samples, icc=b""):
    out, count = io.BytesIO(), 1 if samples.ndim == 2 else samples.shape[2]
    tifffile.imwrite(out, samples, photometric="rgb" if count > 2 else "minisblack", metadata=None,
                     planarconfig="contig" if count > 1 else None, iccprofile=icc or None,
                     extrasamples=["unassalpha"] if count in (2, 4) else None)  # fmt: skip
    return out.getvalue()


def pillow(name, **exact):
    def made(samples, icc=b""):
        out = io.BytesIO()
        Image.fromarray(samples).save(out, name, icc_profile=icc or None, **exact)
        return out.getvalue()

    return made


def pnm(samples):
    kind = 5 if samples.ndim == 2 else 6
    head = b"P%d %d %d %d\n" % (kind, W, H, np.iinfo(samples.dtype).max)
    return head + samples.astype(samples.dtype.newbyteorder(">")).tobytes()


def pam(samples):
    count = 1 if samples.ndim == 2 else samples.shape[2]
    kind = ("GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA")[count - 1]
    head = f"P7\nWIDTH {W}\nHEIGHT {H}\nDEPTH {count}\nMAXVAL {np.iinfo(samples.dtype).max}\n"
    body = samples.astype(samples.dtype.newbyteorder(">")).tobytes()
    return f"{head}TUPLTYPE {kind}\nENDHDR\n".encode() + body


def jpeg_xl(samples):
    return imagecodecs.jpegxl_encode(np.ascontiguousarray(samples), lossless=True)


def jpeg_2000(samples):
    return imagecodecs.jpeg2k_encode(np.ascontiguousarray(samples), level=0, reversible=True)


def qoi(samples):
    """A QOI file, which has no grey."""
    count = 1 if samples.ndim == 2 else samples.shape[2]
    grey = samples[..., 0] if count == 2 else samples
    colour = samples if count > 2 else np.dstack([grey] * 3)
    return imagecodecs.qoi_encode(np.dstack([colour, samples[..., 1]]) if count == 2 else colour)


# Format, its writer, depths, whether it has alpha, and the colour that it can declare.
EVERY = tuple(COLOURS)
IN = [
    ("png", png, (8, 16), True, EVERY),
    ("tiff", tiff, (8, 16), True, ("nothing", "ICC")),
    ("jpeg", pillow("JPEG", quality=100, subsampling=0), (8,), False, ("nothing", "ICC")),
    ("webp", pillow("WEBP", lossless=True, exact=True), (8,), True, ("nothing", "ICC")),
    ("bmp", pillow("BMP"), (8,), False, ("nothing",)),
    ("pnm", pnm, (8, 16), False, ("nothing",)),
    ("pam", pam, (8, 16), True, ("nothing",)),
    ("jxl", jpeg_xl, (8, 16), True, ("nothing",)),
    ("jpeg 2000", jpeg_2000, (8, 16), True, ("nothing",)),
    ("tga", pillow("TGA"), (8,), True, ("nothing",)),
    ("tga in runs", pillow("TGA", compression="tga_rle"), (8,), True, ("nothing",)),
    ("sgi", pillow("SGI"), (8,), False, ("nothing",)),
    ("pcx", pillow("PCX"), (8,), False, ("nothing",)),
    ("dds", pillow("DDS"), (8,), True, ("nothing",)),
    ("qoi", qoi, (8,), True, ("nothing",)),
    ("ico", pillow("ICO", sizes=[(W, H)]), (8,), True, ("nothing",)),
]
WITHOUT_GREY = ("webp", "qoi", "ico")
ROWS_IN = [
    (name, make, depth, grey, alpha, colour)
    for name, make, depths, has_alpha, colours in IN
    for depth in depths
    for grey in (True, False)
    for alpha in ((False, True) if has_alpha else (False,))
    for colour in colours
]


@pytest.mark.parametrize(("name", "make", "depth", "grey", "alpha", "colour"), ROWS_IN)
def test_what_comes_in_is_kept(caplog, name, make, depth, grey, alpha, colour):
    samples = samples_of(depth, grey, alpha)
    if name == "jxl":
        pytest.importorskip("pillow_jxl")
    with caplog.at_level(logging.WARNING, "nic"):
        found = read(make(samples, **COLOURS[colour]))
    assert not caplog.records
    pixels = found.pixels
    if grey and pixels.ndim == 3 and name in WITHOUT_GREY:
        pixels = pixels[..., 0]
    assert pixels.dtype == samples.dtype
    wanted = samples[..., :-1] if alpha else samples
    wanted = wanted[..., 0] if grey and wanted.ndim == 3 else wanted
    error = np.abs(pixels.astype(int) - wanted)
    assert error.max() <= (6 if name == "jpeg" else 0)
    assert (found.alpha is not None) == alpha
    assert not alpha or np.array_equal(found.alpha, samples[..., -1])
    declares = COLOURS[colour]
    assert found.metadata.icc == declares.get("icc", b"")
    if name != "jxl":  # which always declares something
        parts = {key: value for key, value in declares.items() if key != "icc"}
        assert declared.parse(found.metadata.colour) == parts


# -- PngSuite: every colour type, depth, interlacing and transparent colour ---------------------


def packed_rows(values, bits):
    """Rows of samples (H, W, C) in ``bits`` bits each, most significant first."""
    as_bits = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(*values.shape, 2), axis=-1)
    rows = as_bits[..., 16 - bits :].reshape(len(values), -1)
    return np.packbits(rows, axis=1)


PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2))  # fmt: skip


def raw(values, colour_type, bits, interlaced, *chunks):
    """A PNG of these samples (H, W, C), made by hand."""
    h, w = values.shape[:2]
    passes = PASSES if interlaced else ((0, 0, 1, 1),)
    data = b""
    for x, y, across, down in passes:
        part = values[y::down, x::across]
        if part.size:
            data += b"".join(b"\0" + row.tobytes() for row in packed_rows(part, bits))
    head = struct.pack(">IIBBBBB", w, h, bits, colour_type, 0, 0, interlaced)
    made = b"\x89PNG\r\n\x1a\n"
    for kind, content in ((b"IHDR", head), *chunks, (b"IDAT", zlib.compress(data)), (b"IEND", b"")):
        made += struct.pack(">I", len(content)) + kind + content
        made += struct.pack(">I", zlib.crc32(kind + content))
    return made


TYPES = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
SUITE = [
    (colour_type, bits, interlaced, transparent)
    for colour_type, depths in TYPES.items()
    for bits in depths
    for interlaced in (0, 1)
    for transparent in ((False, True) if colour_type in (0, 2, 3) else (False,))
]


@pytest.mark.parametrize(("colour_type", "bits", "interlaced", "transparent"), SUITE)
def test_every_png_is_read_as_libpng_reads_it(colour_type, bits, interlaced, transparent):
    """And as the standard says: the samples were chosen, so the picture is known."""
    rng = np.random.default_rng(bits)
    most = (1 << bits) - 1
    values = rng.integers(0, most + 1, (11, 13, SAMPLES[colour_type]))
    values[:2, :3] = values[0, 0]
    if colour_type in (4, 6):
        values[0, 0, -1] = 0
    chunks, table = [], rng.integers(0, 256, (1 << bits, 3)) if colour_type == 3 else None
    if table is not None:
        chunks.append((b"PLTE", table.astype(np.uint8).tobytes()))
    key = values[0, 0]
    if transparent and colour_type == 3:
        alphas = rng.integers(0, 255, 1 << bits)
        chunks.append((b"tRNS", alphas.astype(np.uint8).tobytes()))
    elif transparent:
        chunks.append((b"tRNS", key.astype(">u2").tobytes()))
    data = raw(values, colour_type, bits, interlaced, *chunks)
    found = read(data)
    white = 65535 if bits == 16 else 255
    scaled = np.rint(values * (white / most)).astype(np.uint16 if bits == 16 else np.uint8)
    if colour_type == 3:
        pixels, alpha = table.astype(np.uint8)[values[..., 0]], None
        if transparent:
            alpha = alphas.astype(np.uint8)[values[..., 0]]
    else:
        colours = scaled[..., :-1] if colour_type in (4, 6) else scaled
        pixels = colours[..., 0] if colour_type in (0, 4) else colours
        alpha = scaled[..., -1] if colour_type in (4, 6) else None
        if transparent:
            alpha = np.where((values == key).all(axis=2), 0, white).astype(scaled.dtype)
    assert np.array_equal(found.pixels, pixels)
    assert (found.alpha is None) == (alpha is None)
    assert alpha is None or np.array_equal(found.alpha, alpha)
    by_libpng = imagecodecs.png_decode(data)
    if by_libpng.ndim == np.ndim(found.samples) and by_libpng.dtype == found.samples.dtype:
        assert np.array_equal(by_libpng, found.samples)


# -- out --------------------------------------------------------------------------------------

KEPT, AS_PROFILE, NOTED, SILENT = "kept", "as a profile", "noted", "silent"
WITH_PROFILES = dict(zip(EVERY, (SILENT, KEPT, AS_PROFILE, AS_PROFILE, AS_PROFILE, NOTED),
                         strict=True))  # fmt: skip
WITHOUT = dict(zip(EVERY, (SILENT, NOTED, SILENT, NOTED, NOTED, NOTED), strict=True))
# Format, the depths and whether alpha is kept, and what becomes of each colour.
OUT = {
    "png": ((8, 16), True, dict.fromkeys(EVERY, KEPT)),
    "tiff": ((8, 16), True, WITH_PROFILES),
    "jpeg": ((8,), False, WITH_PROFILES),
    "webp": ((8,), True, WITH_PROFILES),
    "bmp": ((8,), False, WITHOUT),
    "ppm": ((8, 16), False, WITHOUT),
    "pgm": ((8, 16), False, WITHOUT),
    "pam": ((8, 16), True, WITHOUT),
    "npy": ((8, 16), True, WITHOUT),
}


def seen(name, data):
    """The samples that another library reads."""
    if name == "png":
        return imagecodecs.png_decode(data)
    if name == "tiff":
        return tifffile.imread(io.BytesIO(data))
    if name == "npy":
        return np.load(io.BytesIO(data))
    if name == "webp":
        return imagecodecs.webp_decode(data)
    if name == "jpeg":
        return imagecodecs.jpeg_decode(data)
    if name == "bmp":
        return np.array(Image.open(io.BytesIO(data)))
    end = data.index(b"ENDHDR\n") + 7 if name == "pam" else data.index(b"\n", 12) + 1
    words = data[:end].split()
    deep = b"65535" in words
    count = int(words[words.index(b"DEPTH") + 1]) if name == "pam" else {b"P5": 1, b"P6": 3}[
        words[0]]  # fmt: skip
    found = np.frombuffer(data, ">u2" if deep else "u1", offset=end).reshape(H, W, count)
    return found[..., 0] if count == 1 else found


def icc_in(name, data):
    """The profile that another library finds."""
    if name == "tiff":
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            return bytes(file.pages[0].tags.valueof(34675, b""))
    if name == "png":
        packed = chunks_of(data).get(b"iCCP", b"\0\0" + zlib.compress(b""))
        return zlib.decompress(packed.split(b"\0", 1)[1][1:])
    if name in ("jpeg", "webp"):
        return Image.open(io.BytesIO(data)).info.get("icc_profile") or b""
    return b""


ROWS_OUT = [
    (name, depth, grey, alpha, colour)
    for name in OUT
    for depth in (8, 16)
    for grey in ((True,) if name == "pgm" else (True, False))
    for alpha in (False, True)
    for colour in EVERY
]


def test_every_format_has_its_row():
    assert set(OUT) == set(FORMATS)


@pytest.mark.parametrize(("name", "depth", "grey", "alpha", "colour"), ROWS_OUT)
def test_what_goes_out_is_kept_or_noted(caplog, name, depth, grey, alpha, colour):
    depths, has_alpha, fates = OUT[name]
    declares = dict(COLOURS[colour])
    icc = declares.pop("icc", b"")
    picture = Picture.of_samples(
        samples_of(depth, grey, alpha), Metadata(icc=icc, colour=declared.build(declares))
    )
    with caplog.at_level(logging.WARNING, "nic"):
        data = write(picture, name)
    notes = [record.message for record in caplog.records]
    assert ("transparency" in "".join(notes)) == (alpha and not has_alpha)
    samples = seen(name, data)
    kept_depth = depth if depth in depths else 8
    assert samples.dtype.itemsize == kept_depth // 8
    if has_alpha or not alpha:
        wanted = samples_of(kept_depth, grey, alpha)
        if name == "webp" and grey:
            samples = np.dstack([samples[..., 0], samples[..., 3]]) if alpha else samples[..., 0]
        if alpha and name == "webp":  # it keeps no colour under transparent pixels
            samples, wanted = (np.where(s[..., -1:] > 0, s, 0) for s in (samples, wanted))
        if name == "bmp" and grey and samples.ndim == 3:
            samples = samples[..., 0]
        assert samples.shape == wanted.shape
        assert np.abs(samples.astype(int) - wanted).max() <= (9 if name == "jpeg" else 0)
    fate = fates[colour]
    assert any("cannot be held" in note for note in notes) == (fate == NOTED)
    if fate == KEPT:
        assert icc_in(name, data) == icc
        if name == "png":
            found = chunks_of(data)
            assert {key: found[key.encode()] for key in declares} == declares
    else:
        assert icc_in(name, data) == (
            profile.profile(declares, grey and name != "webp") if fate == AS_PROFILE else b""
        )
