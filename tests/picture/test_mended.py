"""Files with small faults that are read all the same, and files that are known but not read."""

import io
import logging
import struct
import zlib

import numpy as np
import pytest
from pictures import saved
from PIL import Image, ImageCms
from places import SHARED
from programs import assert_fails, invoke

from nic.errors import CorruptError, NicError, UsageError
from nic.picture.files.kinds import SIGNATURES
from nic.picture.metadata import MAX_SIZE, Metadata
from nic.picture.pixels import Picture
from nic.picture.readers import of_image, read
from nic.picture.writers import write

RGB = np.random.default_rng(3).integers(0, 256, (40, 60, 3), np.uint8)
AT = 33  # where the first chunk after IHDR begins
MARKER = "the end marker of the file is missing"
CASES = SHARED / "cases"


def chunk(kind, content, sound=True):
    checksum = zlib.crc32(kind + content) ^ (not sound)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def with_chunks(data, *chunks):
    return data[:AT] + b"".join(chunks) + data[AT:]


def notes(caplog):
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


# -- PNG: checksums ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"pHYs", b"tIME", b"gAMA", b"iCCP", b"eXIf",
                                  b"tRNS", b"prVt"])  # fmt: skip
def test_a_damaged_ancillary_chunk_is_left_out_with_a_note(caplog, kind):
    data = with_chunks(saved(RGB), chunk(kind, b"\0\1\2\3", sound=False))
    found = read(data)
    assert np.array_equal(found.pixels, RGB)
    assert found.alpha is None
    assert not found.metadata
    name = kind.decode()
    assert notes(caplog) == [f"note: chunk {name} is damaged and is left out"]


def test_every_damaged_chunk_has_its_note_and_sound_ones_stay(caplog):
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved(RGB, icc_profile=icc)
    bad = chunk(b"tEXt", b"a\0b", sound=False)
    found = read(with_chunks(data, bad, chunk(b"tEXt", b"a\0b"), bad))
    assert found.metadata.icc == icc
    assert len(notes(caplog)) == 2


@pytest.mark.parametrize("kind", [b"IDAT", b"PLTE", b"IEND"])
def test_a_damaged_critical_chunk_is_an_error(kind):
    image = Image.fromarray(RGB).quantize(16)
    data = bytearray(saved(image))
    at = data.index(kind) - 4
    (length,) = struct.unpack_from(">I", data, at)
    data[at + 8 + length] ^= 1
    with pytest.raises(CorruptError, match="damaged"):
        read(bytes(data))


def test_a_chunk_after_the_pixels_may_be_damaged_too(caplog):
    data = saved(RGB)
    data = data[:-12] + chunk(b"tEXt", b"a\0b", sound=False) + data[-12:]
    assert np.array_equal(read(data).pixels, RGB)
    assert len(notes(caplog)) == 1


def test_a_png_without_its_end_chunk_is_read_with_a_note(caplog):
    data = saved(RGB)
    assert np.array_equal(read(data[:-12]).pixels, RGB)
    assert notes(caplog) == [f"note: {MARKER}"]
    with pytest.raises(CorruptError):
        read(data[:-13])


# -- PNG: large chunks -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [100, 1 << 20, (1 << 20) + 1, 3 << 20, MAX_SIZE])
def test_nic_reads_the_metadata_that_it_writes(caplog, size):
    content = bytes(size - 2) + b"ab"
    every = Metadata(icc=content, xmp=b"<x:xmpmeta " + content.replace(b"\0", b"x")[11:])
    data = write(Picture(RGB, None, every), "png")
    assert read(data).metadata == every
    assert notes(caplog) == []


@pytest.mark.parametrize(
    ("content", "lost"),
    [
        ((b"iCCP", b"a\0\0" + zlib.compress(bytes(MAX_SIZE + 1))), "more than 16777216 bytes"),
        ((b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2 << 20))), "more than 1048576 bytes"),
        ((b"iTXt", b"k\0\1\0\0\0" + zlib.compress(bytes(2 << 20))), "more than 1048576 bytes"),
        ((b"tEXt", b"Comment\0" + bytes(2 << 20)), "more than 1048576 bytes"),
        ((b"iCCP", b"a\0\0" + b"no zlib"), "is damaged"),
        ((b"iCCP", b"a\0\7" + zlib.compress(bytes(99))), "is damaged"),
        ((b"iCCP", b"a" * 90), "is damaged"),
    ],
)
def test_what_is_too_large_or_senseless_is_left_out_with_a_note(caplog, content, lost):
    found = read(with_chunks(saved(RGB), chunk(*content)))
    assert np.array_equal(found.pixels, RGB)
    assert not found.metadata
    (note,) = notes(caplog)
    assert lost in note
    assert content[0].decode() in note


def test_compressed_xmp_above_pillow_s_limit_is_kept():
    xmp = b"<x:xmpmeta>" + b" " * (2 << 20)
    coded = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp)
    assert read(with_chunks(saved(RGB), chunk(b"iTXt", coded))).metadata.xmp == xmp


def test_many_texts_are_not_too_many_for_a_picture(caplog):
    text = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 20)))
    assert np.array_equal(read(with_chunks(saved(RGB), *[text] * 80)).pixels, RGB)
    assert notes(caplog) == ["note: chunk zTXt is one of too many and is left out"] * 48


# -- JPEG --------------------------------------------------------------------------------------


def refused_by_pillow(data):
    """Whether Pillow misses the end marker; of a small grey picture it may not look for it."""
    try:
        Image.open(io.BytesIO(data)).load()
    except OSError:
        return True
    return False


JPEGS = ({}, {"progressive": True}, {"subsampling": 0, "quality": 95},
         {"restart_marker_blocks": 3}, {"progressive": True, "quality": 30})  # fmt: skip


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("settings", JPEGS)
def test_a_jpeg_that_lacks_only_its_end_marker_is_read_with_a_note(caplog, settings, mode):
    data = saved(Image.fromarray(RGB).convert(mode), "JPEG", **settings)
    expected = read(data).pixels
    caplog.clear()
    for cut in (1, 2):
        assert np.array_equal(read(data[:-cut]).pixels, expected)
        assert (f"note: {MARKER}" in notes(caplog)) == refused_by_pillow(data[:-cut])
        caplog.clear()


@pytest.mark.parametrize("settings", JPEGS)
def test_a_jpeg_that_lacks_pixels_is_an_error_wherever_it_ends(settings):
    data = saved(RGB, "JPEG", **settings)
    start = data.index(b"\xff\xda")
    for end in [*range(start, len(data) - 3, 41), *range(len(data) - 9, len(data) - 2)]:
        with pytest.raises(CorruptError):
            read(data[:end])


def test_a_progressive_jpeg_that_ends_between_two_scans_is_an_error():
    """It decodes without a fault, but with less detail."""
    data = saved(RGB, "JPEG", progressive=True)
    scans = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    assert len(scans) > 2
    for at in scans[1:]:
        tables = data.rindex(b"\xff\xc4", 0, at) if b"\xff\xc4" in data[at - 300 : at] else at
        with pytest.raises(CorruptError):
            read(data[:tables])


# -- transparency ------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_the_transparent_grey_of_a_png_is_that_of_its_depth(depth):
    levels = np.arange(1 << depth, dtype=np.uint8)
    bits = np.unpackbits(levels[:, None], axis=1)[:, -depth:]
    row = np.packbits(bits.reshape(-1)).tobytes()
    head = struct.pack(">IIBBBBB", len(levels), 1, depth, 0, 0, 0, 0)
    for key in {0, 1, len(levels) // 2, len(levels) - 1}:
        data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
        data += chunk(b"tRNS", struct.pack(">H", key)) + chunk(b"IDAT", zlib.compress(b"\0" + row))
        found = read(data + chunk(b"IEND", b""))
        assert found.alpha is not None
        assert np.array_equal(found.alpha[0], np.where(levels == key, 0, 255))
        assert np.array_equal(found.pixels[0], levels * (255 // (len(levels) - 1)))


def gif_below_its_canvas(transparency=None):
    """A GIF of 30x20 pixels whose only frame has 7x5 pixels at (11, 4)."""
    image = Image.new("P", (7, 5), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    image.putpixel((2, 2), 0)
    out = io.BytesIO()
    image.save(out, "GIF", **({} if transparency is None else {"transparency": transparency}))
    data = bytearray(out.getvalue())
    data[6:10] = struct.pack("<HH", 30, 20)
    at = data.index(b"\x2c", 13 + 3 * (2 << (data[10] & 7)))
    data[at + 1 : at + 5] = struct.pack("<HH", 11, 4)
    return bytes(data)


@pytest.mark.parametrize("transparency", [None, 0])
def test_a_gif_is_transparent_around_its_first_frame(transparency):
    expected = np.zeros((20, 30), np.uint8)
    expected[4:9, 11:18] = 255
    if transparency is not None:
        expected[6, 13] = 0
    data = gif_below_its_canvas(transparency)
    for found in (read(data), of_image(Image.open(io.BytesIO(data)))):
        assert np.array_equal(found.alpha, expected)
        assert (found.pixels[expected == 255][0] == (200, 100, 50)).all()


# -- known, but not read -----------------------------------------------------------------------


@pytest.mark.parametrize("row", SIGNATURES, ids=lambda row: row[2].name)
def test_a_known_kind_is_named_with_a_remedy(row):
    at, signature, kind = row
    with pytest.raises(UsageError, match="which is not read; ") as caught:
        read(bytes(at) + signature + bytes(600))
    assert kind.name in str(caught.value)
    assert kind.remedy in str(caught.value)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xef\xbb\xbf  <!DOCTYPE html><html></html>", "web page"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "film"),
        (b"RIFF\x24\0\0\0AVI LIST", "AVI"),
    ],
)
def test_text_and_containers_are_named_too(data, word):
    with pytest.raises(UsageError, match=word):
        read(data)


def jpeg_of(marker, bits, *before):
    """The start of a JPEG: other segments, and a frame of this kind."""
    frame = struct.pack(">BHHB", bits, 8, 8, 1) + b"\1\x11\0"
    parts = [*before, (marker, frame), (0xDA, b"\1\1\0\0\0\0")]
    segments = [struct.pack(">BBH", 0xFF, m, 2 + len(c)) + c for m, c in parts]
    return b"\xff\xd8" + b"".join(segments) + bytes(600)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (jpeg_of(0xF7, 8), "JPEG-LS"),
        (jpeg_of(0xF7, 12, (0xE8, b"SPIFF\0")), "JPEG-LS"),
        (jpeg_of(0xC1, 12, (0xFE, b"text")), "a JPEG of 12 bits per sample"),
        (jpeg_of(0xC3, 16), "a lossless JPEG of 16 bits per sample"),
        (b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 8, 8, 16, 3), "a Photoshop file of 16 bits"),
        (b"8BPS" + struct.pack(">H6xHIIHH", 1, 1, 8, 8, 32, 1), "a Photoshop file of 32 bits"),
        (b"8BPS" + struct.pack(">H6xHIIHH", 2, 3, 8, 8, 8, 3), "a large Photoshop file"),
    ],
)
def test_variants_of_formats_are_named(data, word):
    with pytest.raises(UsageError, match=f"this is {word}.*, which is not read; "):
        read(data)


@pytest.mark.parametrize("bits", [0, 7, 13, 77])
def test_a_jpeg_of_a_depth_that_does_not_exist_is_damaged(bits):
    with pytest.raises(CorruptError):
        read(jpeg_of(0xC0, bits))


def test_the_program_says_it_in_one_line(tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7\n")
    result = invoke("compress", tmp_path / "a.pdf")
    assert_fails(result, 2, "a.pdf: this is PDF, which is not read; render it to PNG first")


# -- writing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape", "word"),
    [
        ("webp", (2, 16384), "16383"),
        ("webp", (16384, 2), "16383"),
        ("jpeg", (2, 65536), "65535"),
        ("jpeg", (65501, 2), "65535 pixels .in libjpeg 65500."),
    ],
)
def test_the_limit_of_a_format_is_named(name, shape, word, capfd):
    with pytest.raises(NicError, match=f"{name} has sides of at most {word}"):
        write(np.zeros(shape, np.uint8), name)
    assert capfd.readouterr().err == ""
    assert write(np.zeros((2, 16383), np.uint8), name)


def test_a_limit_stops_no_other_picture_of_a_batch(tmp_path):
    Image.new("L", (16384, 1)).save(tmp_path / "wide.png")
    Image.new("L", (16, 1)).save(tmp_path / "small.png")
    assert invoke("compress", "-r", tmp_path).code == 0
    files = (tmp_path / "wide.nic", tmp_path / "small.nic")
    result = invoke("decompress", "--format", "webp", *files)
    assert_fails(result, 1, "wide.nic: webp has sides of at most 16383 pixels")
    assert (tmp_path / "small.webp").exists()
    assert not (tmp_path / "wide.webp").exists()


@pytest.mark.parametrize("error", [ValueError("encoding error 6"), OSError("broken"),
                                   SystemError("x"), struct.error("x")])  # fmt: skip
def test_whatever_stops_a_writer_is_one_error(monkeypatch, error):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr("PIL.Image.Image.save", fails)
    with pytest.raises(NicError, match="the picture cannot be written as webp"):
        write(RGB, "webp")


# -- the shared cases --------------------------------------------------------------------------


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not there")
@pytest.mark.parametrize(
    ("name", "note", "transparent"),
    [
        ("gif_first_frame_offset.gif", "", True),
        ("jpeg_no_eoi.jpg", MARKER, False),
        ("out_of_nic_unreadable.png", "", False),
        ("png_bad_crc_in_tEXt.png", "chunk tEXt is damaged", False),
        ("png_grey4_trns.png", "", True),
        ("png_iccp_over_1MiB.png", "", False),
    ],
)
def test_the_shared_cases_are_read(caplog, name, note, transparent):
    found = read((CASES / name).read_bytes())
    assert (found.alpha is not None) == transparent
    assert len(notes(caplog)) == bool(note)
    assert note in "".join(notes(caplog))
    if "iccp" in name or "out_of" in name:
        assert len(found.metadata.icc) > 1 << 20
