"""Kinds of files that few programs write: their meaning is kept, or one line says what is not."""

import io
import logging
import struct
import zlib

import numpy as np
import pytest
from pictures import saved
from PIL import Image

from nic.errors import CorruptError, UsageError
from nic.picture.png import SIGNATURE
from nic.picture.readers import read

H, W = 32, 48
Y, X = np.mgrid[:H, :W]
RGB = np.stack([5 * X, 7 * Y, 255 - 2 * (X + Y)], axis=-1).astype(np.uint8)
GREY = np.ascontiguousarray(RGB[..., 0])


def notes_of(caplog, data):
    """What is read from a file, and what is noted."""
    with caplog.at_level(logging.WARNING, "nic"):
        return read(data), [record.message for record in caplog.records]


# -- PNG --------------------------------------------------------------------------------------


def chunk(kind, content):
    return (
        struct.pack(">I", len(content)) + kind + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )  # fmt: skip


def with_chunk(samples, kind, content):
    data = saved(samples)
    return data[:33] + chunk(kind, content) + data[33:]


@pytest.mark.parametrize("kind", [b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tRNS", b"cICP", b"mDCV",
                                  b"cLLI", b"acTL"])  # fmt: skip
@pytest.mark.parametrize("content", [b"", b"\0\4\0"], ids=["empty", "three bytes"])
@pytest.mark.parametrize("samples", [RGB, GREY], ids=["colour", "grey"])
def test_a_chunk_of_another_length_than_it_has_is_left_out(caplog, samples, kind, content):
    found, notes = notes_of(caplog, with_chunk(samples, kind, content))
    assert np.array_equal(found.samples, samples)
    assert found.metadata.colour == b""
    assert notes == [f"note: chunk {kind.decode()} is damaged and is left out"]


@pytest.mark.parametrize("kind", [b"PRIV", b"CgBI"])
def test_a_critical_chunk_that_png_does_not_define_is_named(kind):
    with pytest.raises(UsageError, match=f"a PNG with the chunk {kind.decode()}"):
        read(with_chunk(RGB, kind, b"1234"))
    data = saved(RGB)
    with pytest.raises(UsageError, match=f"a PNG with the chunk {kind.decode()}"):
        read(data[:8] + chunk(kind, b"1234") + data[8:])  # where Apple has it


def test_a_palette_that_is_missing_is_damage_with_words():
    head = struct.pack(">IIBBBBB", W, H, 8, 3, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in GREY))
    data = SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    with pytest.raises(CorruptError, match=r"the picture is damaged: \w+"):
        read(data)


# -- BMP --------------------------------------------------------------------------------------


def bmp(bits, compression=0, masks=(0, 0, 0, 0), size=108, content=b""):
    """A BMP whose masks are in its header, if that has place, or behind it."""
    head = struct.pack("<IiiHHIIiiII", size, W, H, 1, bits, compression, len(content), 0, 0, 0, 0)
    places = struct.pack("<4I", *masks)
    behind = {3: places[:12], 6: places}.get(compression, b"") if size == 40 else b""
    head = ((head + places).ljust(size, b"\0") if size > 40 else head) + behind
    start = 14 + len(head)
    return struct.pack("<2sIHHI", b"BM", start + len(content), 0, 0, start) + head + content


def packed(dtype, *planes):
    """Pixels from planes of 8 bits: (plane, bits of it that are kept, where they stand)."""
    values = sum(plane.astype(np.uint32) >> (8 - bits) << at for plane, bits, at in planes)
    return values[::-1].astype(dtype).tobytes()


RED, GREEN, BLUE = (RGB[..., i] for i in range(3))


@pytest.mark.parametrize("size", [56, 108, 124])
def test_transparency_of_a_bmp_of_16_bits_is_noted(caplog, size):
    places = (0x7C00, 0x3E0, 0x1F, 0x8000)
    alpha = np.where(X > 9, 255, 0)
    content = packed("<u2", (RED, 5, 10), (GREEN, 5, 5), (BLUE, 5, 0), (alpha, 1, 15))
    found, notes = notes_of(caplog, bmp(16, 3, places, size, content))
    assert np.abs(found.pixels.astype(int) - RGB).max() < 8
    assert notes == ["note: the transparency of a BMP of 16 bits per pixel is not kept"]


def test_a_bmp_of_16_bits_without_transparency_needs_no_note(caplog):
    content = packed("<u2", (RED, 5, 11), (GREEN, 6, 5), (BLUE, 5, 0))
    for size in (40, 108):
        found, notes = notes_of(caplog, bmp(16, 3, (0xF800, 0x7E0, 0x1F, 0), size, content))
        assert np.abs(found.pixels.astype(int) - RGB).max() < 8
        assert notes == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bmp(32, 3, (0x3FF00000, 0xFFC00, 0x3FF, 0), content=bytes(4 * H * W)),
         "a BMP of 32 bits per pixel with rare places for its colours"),
        (bmp(16, 3, (0xF00, 0xF0, 0xF, 0xF000), content=bytes(2 * H * W)),
         "a BMP of 16 bits per pixel with rare places"),
        (bmp(16, 6, (0x7C00, 0x3E0, 0x1F, 0x8000), 40, bytes(2 * H * W)), "a BMP of 16 bits"),
        (bmp(0, 4, size=40, content=b"\xff\xd8\xff"), "a BMP that holds a JPEG"),
        (bmp(0, 5, size=40, content=SIGNATURE), "a BMP that holds a PNG"),
        (bmp(64, size=40, content=bytes(8 * H * W)), "a BMP of 64 bits per pixel"),
    ],
)  # fmt: skip
def test_a_bmp_that_is_not_read_is_named(data, words):
    with pytest.raises(UsageError, match=f"this is {words}.*, which is not read; convert it"):
        read(data)


# -- TIFF -------------------------------------------------------------------------------------

FORMS = {3: "H", 4: "I", 5: "I"}  # of values, by type; a fraction is two of them


def tiff(content, bits, photometry, samples, *more):
    """An uncompressed TIFF of one strip, with ``more`` tags (code, type, values)."""
    tags = [(256, 4, [W]), (257, 4, [H]), (258, 3, bits), (259, 3, [1]), (262, 3, [photometry]),
            (273, 4, [8]), (277, 3, [samples]), (278, 4, [H]), (279, 4, [len(content)]),
            *more]  # fmt: skip
    content += bytes(len(content) % 2)
    place, entries, extra = 8 + len(content), b"", b""
    for code, kind, values in sorted(tags):
        value = struct.pack(f"<{len(values)}{FORMS[kind]}", *values)
        if len(value) > 4:
            at = place + 6 + 12 * len(tags) + len(extra)
            extra, value = extra + value, struct.pack("<I", at)
        count = len(values) // 2 if kind == 5 else len(values)
        entries += struct.pack("<HHI", code, kind, count) + value.ljust(4, b"\0")
    start = struct.pack("<2sHI", b"II", 42, place)
    return start + content + struct.pack("<H", len(tags)) + entries + bytes(4) + extra


@pytest.mark.parametrize("predictor", [2, 3, 9])
def test_a_predictor_without_a_compression_that_has_one_means_nothing(predictor):
    """As for libtiff, which most programs use."""
    data = tiff(RGB.tobytes(), [8] * 3, 2, 3, (317, 3, [predictor]))
    assert np.array_equal(np.array(Image.open(io.BytesIO(data))), RGB)
    assert np.array_equal(read(data).pixels, RGB)


@pytest.mark.parametrize("factor", [257, 256, 1])
def test_a_palette_of_bytes_gives_8_bits(factor):
    table = np.stack([np.arange(256), 255 - np.arange(256), np.arange(256) // 3])
    data = tiff(GREY.tobytes(), [8], 3, 1, (320, 3, (table * factor).ravel().tolist()))
    found = read(data).pixels
    assert found.dtype == np.uint8
    assert np.array_equal(found, table.T[GREY])


def test_a_palette_of_16_bits_gives_16_bits():
    table = np.stack([np.arange(256) * 255, 65535 - np.arange(256) ** 2, np.full(256, 20001)])
    found = read(tiff(GREY.tobytes(), [8], 3, 1, (320, 3, table.ravel().tolist()))).pixels
    assert found.dtype == np.uint16
    assert np.array_equal(found, table.T[GREY])


@pytest.mark.parametrize("range_of_a_film", [False, True])
@pytest.mark.parametrize(("across", "down"), [(2, 2), (2, 1), (1, 1), (4, 1)])
def test_subsampled_colour_without_compression_is_read(across, down, range_of_a_film):
    luma, *chroma = np.moveaxis(np.array(Image.fromarray(RGB).convert("YCbCr")), 2, 0)
    limits = []
    if range_of_a_film:
        luma = np.rint(16 + luma * (219 / 255)).astype(np.uint8)
        chroma = [np.rint(128 + (c - 128.0) * (224 / 255)).astype(np.uint8) for c in chroma]
        limits = [(532, 5, [16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1])]
    blocks = luma.reshape(H // down, down, W // across, across).transpose(0, 2, 1, 3)
    parts = [blocks.reshape(H // down, W // across, -1)]
    for c in chroma:
        means = c.reshape(H // down, down, W // across, across).mean(axis=(1, 3))
        parts.append(np.rint(means).astype(np.uint8)[..., None])
    content = np.concatenate(parts, axis=2).tobytes()
    found = read(tiff(content, [8] * 3, 6, 3, (530, 3, [across, down]), *limits)).pixels
    assert np.abs(found.astype(int) - RGB).max() < 16
    assert np.abs(found.astype(int) - RGB).mean() < 4


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (tiff(bytes(2 * H * W), [5, 6, 5], 2, 3), UsageError, "samples of a pixel differ in kind"),
        (tiff(RGB.tobytes(), [8] * 3, 2, 3, (339, 3, [1, 2, 1])), CorruptError, "do not fit"),
        (tiff(GREY.tobytes(), [8], 3, 1), CorruptError, "has no palette"),
        (tiff(RGB.tobytes() * 4, [8] * 3, 2, 3, (32997, 4, [4])), UsageError, "4 pictures deep"),
    ],
)
def test_a_rare_tiff_is_refused_in_words(data, kind, words):
    with pytest.raises(kind, match=words):
        read(data)


# -- others -----------------------------------------------------------------------------------


def photoshop(mode, *planes):
    head = struct.pack(">4sH6xHIIHH12x", b"8BPS", 1, len(planes), H, W, 8, mode)
    return head + struct.pack(">H", 0) + b"".join(plane.tobytes() for plane in planes)


@pytest.mark.parametrize(
    ("mode", "planes", "shape", "lost"),
    [
        (3, (RED, GREEN, BLUE), (H, W, 3), 0),
        (3, (RED, GREEN, BLUE, GREY), (H, W, 4), 0),
        (3, (RED, GREEN, BLUE, GREY, GREY), (H, W, 3), 2),
        (1, (GREY,), (H, W), 0),
        (1, (GREY, RED), (H, W), 1),
        (4, (RED, GREEN, BLUE, GREY), (H, W, 3), 0),
        (4, (RED, GREEN, BLUE, GREY, GREY), (H, W, 3), 1),
        (7, (RED, GREEN, BLUE), (H, W), 2),
    ],
)
def test_further_channels_of_photoshop_are_noted(caplog, mode, planes, shape, lost):
    found, notes = notes_of(caplog, photoshop(mode, *planes))
    assert found.samples.shape == shape
    wanted = [f"note: channels of the Photoshop file that are not kept: {lost}"] if lost else []
    assert [note for note in notes if "CMYK" not in note] == wanted


@pytest.mark.parametrize(
    ("start", "name"), [(b"\xff\xd8\xff\xe0", "JPEG"), (SIGNATURE, "PNG"), (b"GIF89a", "GIF")]
)
def test_what_begins_as_a_picture_is_named(start, name):
    with pytest.raises(CorruptError, match=f"can be read, though it begins as {name}$"):
        read(start.ljust(99, b"?"))
    with pytest.raises(CorruptError, match=r"can be read$"):
        read(b"?" * 99)


MISSING = "note: the file ends before the last of its pixels"


@pytest.mark.parametrize("settings", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
@pytest.mark.parametrize("samples", [RGB, GREY], ids=["colour", "grey"])
def test_a_jpeg_whose_end_marker_is_too_early_gets_a_note(caplog, samples, settings):
    samples = samples.repeat(9, axis=0)
    samples = samples ^ np.random.default_rng(1).integers(0, 64, samples.shape, np.uint8)
    whole = saved(samples, "JPEG", quality=95, **settings)
    assert notes_of(caplog, whole)[1] == []
    assert notes_of(caplog, whole + b"trailer")[1] == []
    caplog.clear()
    found, notes = notes_of(caplog, whole[: len(whole) * 4 // 5] + b"\xff\xd9")
    assert found.samples.shape == samples.shape
    assert notes == [MISSING]


@pytest.mark.parametrize("size", [(1, 1), (8, 9), (17, 33)])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_whole_jpeg_needs_no_note(caplog, size, progressive, subsampling):
    samples = np.resize(RGB, (*size, 3))
    for quality in (10, 100):
        data = saved(samples, "JPEG", quality=quality, progressive=progressive,
                     subsampling=subsampling)  # fmt: skip
        assert notes_of(caplog, data)[1] == []


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
def test_a_jpeg_that_is_cut_anywhere_is_noted_or_refused(caplog, end):
    """Also between its scans, and inside of the header of a scan."""
    data = saved(RGB, "JPEG", progressive=True)
    refused = []
    for length in range(len(data) // 3, len(data) - 2, 7):
        caplog.clear()
        try:
            notes = notes_of(caplog, data[:length] + end)[1]
        except CorruptError as error:
            refused.append(str(error))
        else:
            assert notes == [MISSING]
    assert not any("unpack" in message for message in refused)
