"""Picture files of 8 bits: upright when they are read, and read by Pillow when they are written."""

import io
import logging
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import saved
from PIL import Image

from nic.errors import CorruptError, NicError, UsageError
from nic.picture.formats import FORMATS, format_of
from nic.picture.pixels import Picture
from nic.picture.readers import read as read_picture
from nic.picture.writers import write

RGB = np.random.default_rng(3).integers(0, 256, (9, 14, 3), np.uint8)
GREY = RGB[..., 0]
LOSSLESS = sorted(set(FORMATS) - {"jpeg"})
OF_PILLOW = sorted(set(FORMATS) - {"pgm", "pam", "npy"})
ORIENTATION = 0x0112  # the EXIF tag


def read(data):
    """The pixels of a picture file that has no alpha."""
    found = read_picture(data)
    assert found.alpha is None
    return found.pixels


def png(width, height, depth, colour, interlaced, rows):
    """A PNG of these bytes of rows, sound by its checksums."""

    def chunk(kind, data):
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    data = zlib.compress(rows)
    cut = len(data) // 2  # into two chunks
    body = chunk(b"IDAT", data[:cut]) + chunk(b"IDAT", data[cut:])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


# width, height, bits, colour type, interlaced, bytes of all rows
@pytest.mark.parametrize(
    ("facts", "size"),
    [
        ((5, 3, 8, 0, 0), 3 * 6),
        ((5, 3, 1, 0, 0), 3 * 2),
        ((5, 3, 16, 2, 0), 3 * 31),
        ((8, 8, 8, 0, 1), 2 + 2 + 3 + 2 * 3 + 2 * 5 + 4 * 5 + 4 * 9),
        ((1, 1, 8, 2, 1), 4),  # all passes but the first are empty
    ],
)
def test_a_png_has_all_of_its_rows(facts, size):
    """Black ones too, which is what Pillow takes those that are missing for."""
    assert not read(png(*facts, bytes(size))).any()
    assert not read(png(*facts, bytes(size + 1))).any()  # nobody minds
    for there in (0, size - 1):
        with pytest.raises(CorruptError, match="damaged"):
            read(png(*facts, bytes(there)))


@pytest.mark.parametrize("name", ["PNG", "TIFF", "BMP", "PPM", "TGA"])
@pytest.mark.parametrize("source", [RGB, GREY], ids=["colour", "grey"])
def test_lossless_files_are_read_exactly(name, source):
    pixels = read(saved(source, name))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, source)


def test_jpeg_and_webp_are_read_as_pillow_reads_them():
    for name in ("JPEG", "WEBP"):
        data = saved(RGB, name)
        assert np.array_equal(read(data), np.array(Image.open(io.BytesIO(data)).convert("RGB")))


def test_a_palette_becomes_colour():
    image = Image.fromarray(RGB).quantize(16)
    assert np.array_equal(read(saved(image)), np.array(image.convert("RGB")))
    assert np.array_equal(read(saved(image, "GIF")), np.array(image.convert("RGB")))


def test_one_bit_becomes_grey():
    image = Image.fromarray(GREY).convert("1")
    assert np.array_equal(read(saved(image)), np.array(image, np.uint8) * 255)


def test_8_bits_are_read_without_a_note(caplog):
    with caplog.at_level(logging.DEBUG, "nic"):
        read(saved(RGB))
    assert not caplog.records


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_an_opaque_alpha_channel_is_dropped(mode):
    source = Image.fromarray(RGB if mode == "RGBA" else GREY)
    assert np.array_equal(read(saved(source.convert(mode))), np.array(source))


@pytest.mark.parametrize("name", ["PNG", "GIF"])
def test_a_transparent_palette_entry_becomes_alpha_where_it_is_used(name):
    image = Image.fromarray(RGB).quantize(16)
    used = int(np.array(image)[0, 0])
    found = read_picture(saved(image, name, transparency=used))
    seen = np.array(image) != used
    assert np.array_equal(found.alpha, np.where(seen, 255, 0))
    assert np.array_equal(found.pixels[seen], np.array(image.convert("RGB"))[seen])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_upright(orientation):
    """Every orientation of EXIF, as the viewer of the photograph would see it."""
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :8] = 255  # one bright corner
    turns = {  # what was done to the upright picture, for its pixels to be stored so
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = np.ascontiguousarray(turns[orientation](upright))
    pixels = read(saved(stored, "JPEG", exif=exif, quality=95, subsampling=0))
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).max() < 20


def test_cmyk_becomes_colour():
    image = Image.fromarray(np.full((8, 8, 3), (250, 10, 20), np.uint8)).convert("CMYK")
    pixels = read(saved(image, "TIFF"))
    assert np.array_equal(pixels, np.array(image.convert("RGB")))


def test_floating_point_samples_are_refused():
    """Their range is anybody's guess; clipping them to 0..255 would give a black picture."""
    with pytest.raises(UsageError, match="floating-point"):
        read(saved(Image.fromarray(np.full((4, 4), 0.5, np.float32)), "TIFF"))


@pytest.mark.parametrize("name", ["TIFF", "GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken_with_a_note(caplog, name):
    frames = [Image.fromarray(RGB[..., i] // 16 * 16) for i in range(3)]
    exact = {"lossless": True} if name == "WEBP" else {}
    data = saved(frames[0], name, save_all=True, append_images=frames[1:], **exact)
    with caplog.at_level(logging.WARNING, "nic"):
        pixels = read(data)
    first = np.array(frames[0])
    assert np.array_equal(pixels if pixels.ndim == 2 else pixels[..., 0], first)
    assert [r.message for r in caplog.records] == [
        "note: only the first of several frames is coded"
    ]


@pytest.mark.parametrize("name", sorted({*OF_PILLOW, "pgm"} - {"jpeg"}))
@pytest.mark.parametrize("source", [RGB, GREY], ids=["colour", "grey"])
def test_lossless_formats_are_written_exactly(name, source):
    if name == "pgm" and source.ndim == 3:
        with pytest.raises(UsageError, match="PGM holds only grey"):
            write(source, name)
        return
    data = write(source, name)
    found = np.array(Image.open(io.BytesIO(data)).convert("RGB" if source.ndim == 3 else "L"))
    assert np.array_equal(found, source)
    again = read(data)
    assert np.array_equal(again if again.ndim == source.ndim else again[..., 0], source)


@pytest.mark.parametrize("name", OF_PILLOW)
def test_a_format_is_written_as_what_it_is_called(name):
    assert Image.open(io.BytesIO(write(RGB, name))).format == name.upper()


def test_jpeg_is_written_nearly_lossless(photographs):
    source = photographs["chelsea"][:64, :64]
    found = np.array(Image.open(io.BytesIO(write(source, "jpeg"))))
    assert np.sqrt(np.mean((found.astype(float) - source) ** 2)) < 5


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.png", "png"),
        ("a.b/c.JPG", "jpeg"),
        ("x.tif", "tiff"),
        ("x.pgm", "pgm"),
        ("x.pnm", "ppm"),
        ("x.pam", "pam"),
        ("x.npy", "npy"),
        ("x.webp", "webp"),
        ("x.bmp", "bmp"),
    ],
)
def test_a_file_name_says_its_format(path, name):
    assert format_of(path) == name


@pytest.mark.parametrize("path", ["a", "a.gif", "a.nic", ".png", "png"])
def test_an_unknown_format_is_refused_with_the_ones_known(path):
    with pytest.raises(UsageError, match="png, tiff, jpeg"):
        format_of(path)


def test_nothing_is_not_a_picture():
    with pytest.raises(CorruptError, match="empty"):
        read(b"")


def test_a_stream_is_not_a_picture(stages):
    with pytest.raises(UsageError, match="nic-decode"):
        read(stages["packed"])


def test_text_is_not_a_picture():
    with pytest.raises(CorruptError, match="not a picture"):
        read(b"Dear all,\nplease find the picture attached.\n")


def test_a_picture_that_claims_to_be_huge_is_refused():
    data = bytearray(saved(np.zeros((1, 1), np.uint8)))
    data[16:24] = struct.pack(">II", 60000, 60000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    with pytest.raises(NicError, match="60000x60000"):
        read(bytes(data))


BROKEN = {
    "png": saved(RGB),
    "jpeg": saved(RGB, "JPEG"),
    "webp": saved(RGB, "WEBP", lossless=True),
    "tiff": saved(RGB, "TIFF"),
    "gif": saved(Image.fromarray(RGB).quantize(16), "GIF"),
    "bmp": saved(RGB, "BMP"),
    "ppm": saved(RGB, "PPM"),
    "pam": write(Picture(RGB, GREY), "pam"),
}


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "tiff", "bmp", "ppm", "pam"])
def test_half_a_picture_is_refused(name):
    data = BROKEN[name]
    with pytest.raises(CorruptError):
        read(data[: len(data) // 2])


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(sorted(BROKEN)),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_a_damaged_picture_is_read_or_refused_and_nothing_else(name, damage):
    data = bytearray(BROKEN[name])
    for at, value in damage:
        data[at % len(data)] = value
    try:
        found = read_picture(bytes(data))
    except NicError:
        return
    pixels = found.pixels
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 2 or pixels.shape[2] == 3
    assert found.alpha is None or found.alpha.shape == pixels.shape[:2]
