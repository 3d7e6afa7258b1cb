"""Picture files of all formats that are read, made small, and ways to damage them."""

import io
import struct
import zlib
from importlib.util import find_spec

import numpy as np
from PIL import Image

from nic.models.quiet import native_stderr_closed

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEIGHT, WIDTH = 20, 27
ICC = bytes(36) + b"acsp" + bytes(90)
XMP = b'<x:xmpmeta tiff:Orientation="6" tiff:ImageWidth="27" tiff:ImageLength="20"/>'
MORE = {"save_all": True, "append_images": [Image.new("RGB", (27, 20))]}
# Formats that Pillow writes, with settings of their writers.
PILLOW = {
    "PNG": [{}, {"optimize": True}],
    "JPEG": [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 1}],
    "MPO": [MORE],
    "TIFF": [{}, *({"compression": c} for c in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg",
                                                "group4"))],
    "WEBP": [{}, {"lossless": True}, MORE],
    "GIF": [{}, MORE],
    "BMP": [{}], "DIB": [{}], "PPM": [{}], "TGA": [{}, {"compression": "tga_rle"}], "PCX": [{}],
    "ICO": [{}, {"bitmap_format": "bmp"}], "JPEG2000": [{}, {"no_jp2": True}], "SGI": [{}],
    "QOI": [{}], "DDS": [{}, {"pixel_format": "DXT1"}, {"pixel_format": "DXT5"}], "XBM": [{}],
    "ICNS": [{}], "AVIF": [{"speed": 10}],
}  # fmt: skip
REFUSED = (OSError, ValueError, KeyError, TypeError, RuntimeError)  # a mode that does not fit
MODES = ("RGB", "L", "P", "RGBA", "LA", "1", "I;16", "CMYK", "F", "LAB")


def pixels():
    """Colour samples uint8 (HEIGHT, WIDTH, 3): smooth, with some noise."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    smooth = np.stack([8 * y, 5 * x + y, 255 - 4 * (x + y)], axis=-1)
    noise = np.random.default_rng(7).normal(0, 6, smooth.shape)
    return np.clip(smooth + noise, 0, 255).astype(np.uint8)


def sound():
    """Names and bytes of files that are not damaged; the samples of some cannot be coded."""
    with native_stderr_closed():  # libraries print why they refuse a mode
        return [*of_pillow(), *of_png(), *of_netpbm(), *of_tifffile(), *of_extras(), *by_hand()]


def of_pillow():
    """Every mode in every format that Pillow writes, with and without metadata."""
    image, exif = Image.fromarray(pixels()), Image.Exif()
    exif[0x0112], exif[0x0100], exif[0x010F] = 6, WIDTH, "Maker"
    exif.get_ifd(0x8769).update({0xA002: WIDTH, 0xA003: HEIGHT})
    for name, variants in PILLOW.items():
        for settings in variants:
            for mode in MODES:
                made = {"plain": settings}
                if mode in ("RGB", "L", "CMYK") and name in ("PNG", "JPEG", "TIFF", "WEBP", "AVIF"):
                    facts = {"icc_profile": ICC, "exif": exif.tobytes(), "xmp": XMP}
                    made["with metadata"] = settings | facts
                for kind, given in made.items():
                    out = io.BytesIO()
                    try:
                        image.convert(mode).save(out, name, **given)
                    except REFUSED:
                        continue
                    yield f"{name} {mode} {kind} {settings}", out.getvalue()


def chunk(kind, content):
    """A chunk of a PNG."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def of_png():
    """Every colour type and depth, plain and interlaced, with a transparent colour or without."""
    rng = np.random.default_rng(3)
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
              (0, 1, 1, 2))  # fmt: skip
    for colour, bits in depths.items():
        for depth in bits:
            for laced in (0, 1):
                rows = b""
                for x, y, across, down in passes if laced else ((0, 0, 1, 1),):
                    columns = -(-(WIDTH - x) // across)
                    size = -(-columns * depth * channels[colour] // 8)
                    for _ in range(-(-(HEIGHT - y) // down)):
                        rows += bytes([rng.integers(0, 5)]) + rng.bytes(size)
                head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, laced)
                palette = chunk(b"PLTE", rng.bytes(3 << depth)) if colour == 3 else b""
                key = {0: b"\0\1", 2: b"\0\1\0\2\0\3", 3: b"\0\x80"}.get(colour, b"")
                more = [b"", chunk(b"gAMA", b"\0\0\xb1\x8f") + chunk(b"cICP", b"\x09\x10\0\1"),
                        chunk(b"iCCP", b"a\0\0" + zlib.compress(ICC)),
                        chunk(b"eXIf", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"),
                        chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(99)))]  # fmt: skip
                for facts, transparent in zip(more, ([key] * 3 + [b""] * 2), strict=True):
                    after = chunk(b"tRNS", transparent) if transparent else b""
                    parts = (chunk(b"IHDR", head), facts, palette, after,
                             chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))  # fmt: skip
                    yield f"PNG {colour} {depth} {laced}", SIGNATURE + b"".join(parts)


def of_netpbm():
    """Every kind of PBM, PGM, PPM and PAM, of 8 and 16 bits."""
    rng = np.random.default_rng(5)
    size = b"%d %d\n" % (WIDTH, HEIGHT)
    for kind, depth in ((1, 1), (2, 1), (3, 3)):
        numbers = b" ".join(b"%d" % (n & 1) for n in rng.bytes(WIDTH * HEIGHT * depth))
        yield f"P{kind}", b"P%d\n# text\n" % kind + size + (b"" if kind == 1 else b"1\n") + numbers
    yield "P4", b"P4\n" + size + rng.bytes(-(-WIDTH // 8) * HEIGHT)
    for most in (1, 200, 255, 1023, 65535):
        for kind, depth in ((5, 1), (6, 3)):
            values = rng.integers(0, most + 1, WIDTH * HEIGHT * depth)
            data = values.astype(">u2" if most > 255 else "u1").tobytes()
            yield f"P{kind} {most}", b"P%d\n" % kind + size + b"%d\n" % most + data
        for depth, name in enumerate(("GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA"), 1):
            values = rng.integers(0, most + 1, WIDTH * HEIGHT * depth)
            head = f"P7\nWIDTH {WIDTH}\nHEIGHT {HEIGHT}\nDEPTH {depth}\nMAXVAL {most}\n"
            data = values.astype(">u2" if most > 255 else "u1").tobytes()
            yield f"PAM {name} {most}", f"{head}TUPLTYPE {name}\nENDHDR\n".encode() + data


def of_tifffile():
    """Planar, tiled, BigTIFF, both orders of bytes, and samples that cannot be coded."""
    import tifffile

    grey = pixels()[..., 0]
    deep = pixels().astype(np.uint16) * 257
    with_alpha = np.dstack([pixels(), grey])
    rgb = {"photometric": "rgb"}
    for name, samples, settings in (
        ("planar", pixels().transpose(2, 0, 1), rgb | {"planarconfig": "separate"}),
        ("planar 16", deep.transpose(2, 0, 1), rgb | {"planarconfig": "separate"}),
        ("tiled", pixels(), rgb | {"tile": (16, 16)}),
        ("strips", deep, rgb | {"rowsperstrip": 3, "compression": "zlib", "predictor": True}),
        ("lzw", deep, rgb | {"compression": "lzw"}),
        ("zstd", pixels(), rgb | {"compression": "zstd"}),
        ("lzma", pixels(), rgb | {"compression": "lzma"}),
        ("white is zero", deep[..., 0], {"photometric": "miniswhite"}),
        ("alpha", with_alpha, rgb | {"extrasamples": ["unassalpha"]}),
        ("premultiplied", with_alpha, rgb | {"extrasamples": ["assocalpha"]}),
        ("unspecified", with_alpha, rgb | {"extrasamples": ["unspecified"]}),
        ("uint32", grey.astype(np.uint32), {}),
        ("float", grey.astype(np.float32), {}),
        ("float16", pixels().astype(np.float16), rgb),
        ("int8", grey.astype(np.int8), {}),
        ("complex", grey.astype(np.complex64), {}),
        ("cmyk", np.dstack([pixels(), grey]), {"photometric": "separated"}),
        ("pages", np.stack([grey] * 3), {"photometric": "minisblack"}),
    ):
        for order, big in (("<", False), (">", False), ("<", True), (">", True)):
            out = io.BytesIO()
            with tifffile.TiffWriter(out, byteorder=order, bigtiff=big) as file:
                file.write(samples, **settings)
            yield f"TIFF {name} {order} {big}", out.getvalue()
    small = np.ascontiguousarray(pixels()[::2, ::2])
    for name, samples, settings in (("raw", deep[..., 0], {"photometric": "cfa"}),
                                    ("inside", deep, rgb)):  # fmt: skip
        out = io.BytesIO()
        with tifffile.TiffWriter(out) as file:
            file.write(small, subifds=1, subfiletype=1, **rgb)
            file.write(samples, **settings)
        yield f"TIFF {name}", out.getvalue()


def of_extras():
    """HEIC, JPEG XL, AVIF and JPEG 2000 of 16 bits, by the packages that are installed."""
    image = Image.fromarray(pixels())
    if find_spec("pillow_heif"):
        import pillow_heif

        deep = (pixels().astype(np.uint16) << 2) * 16
        for bits, mode, samples in ((8, "RGB", pixels()), (10, "RGB;16", deep)):
            out = io.BytesIO()
            encoded = pillow_heif.from_bytes(mode, (WIDTH, HEIGHT), samples.tobytes())
            encoded.save(out, quality=80)
            yield f"HEIC {bits}", out.getvalue()
    if find_spec("pillow_jxl"):
        import pillow_jxl  # noqa: F401

        for mode in ("RGB", "L", "RGBA"):
            out = io.BytesIO()
            image.convert(mode).save(out, "JXL", lossless=True)
            yield f"JXL {mode}", out.getvalue()
    if find_spec("imagecodecs"):
        import imagecodecs

        deep = pixels().astype(np.uint16) * 257
        for name, encode in (("JPEG 2000", imagecodecs.jpeg2k_encode),
                             ("JXL 16", imagecodecs.jpegxl_encode),
                             ("PNG 16", imagecodecs.png_encode)):  # fmt: skip
            for samples in (deep, np.ascontiguousarray(deep[..., 0])):
                yield name, bytes(encode(samples))


def by_hand():
    """Sun rasters and Photoshop files, which no installed package writes."""
    flat = pixels().tobytes()
    padded = np.pad(pixels(), ((0, 0), (0, 1), (0, 0)))[..., ::-1].reshape(HEIGHT, -1)
    rows = padded[:, : WIDTH * 3 + WIDTH * 3 % 2].tobytes()
    head = struct.pack(">8I", 0x59A66A95, WIDTH, HEIGHT, 24, len(rows), 1, 0, 0)
    yield "SUN", head + rows
    planes = pixels().transpose(2, 0, 1).tobytes()
    assert len(planes) == len(flat)
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, HEIGHT, WIDTH, 8, 3)
    yield "PSD", head + bytes(4) + bytes(4) + bytes(4) + b"\0\0" + planes


def with_png_checksums(data, damage, rng):
    """A PNG with the content of one chunk damaged and its checksum made anew."""
    at, places = len(SIGNATURE), []
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        places.append((at, at + 12 + length))
        at += 12 + length
    start, stop = rng.choice(places)
    kind, content = data[start + 4 : start + 8], data[start + 8 : stop - 4]
    if kind == b"IDAT" and rng.random() < 0.5:  # the rows themselves
        content = zlib.compress(damage(zlib.decompress(content), rng))
    else:
        content = damage(content, rng)
    return data[:start] + chunk(kind, content) + data[stop:]
