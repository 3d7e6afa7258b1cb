"""Sixteen bits per sample into every format that has them, and the option that decides.

What is written is read by readers that share no code with the writers (``plain_readers``).
"""

import io
import logging
import struct

import numpy as np
import plain_readers
import pytest
import tifffile  # noqa: TID253
from deep_pictures import COLOURS, GREY, RGB, TRANSPARENCY, H, W, ramp
from PIL import Image
from programs import assert_fails, invoke

import nic
from nic.errors import UsageError
from nic.picture.formats import DEEP, FORMATS, WITH_ALPHA, depth_in
from nic.picture.metadata import Metadata
from nic.picture.pixels import Picture, flattened, of_depth, with_depth
from nic.picture.readers import read
from nic.picture.writers import write

SHALLOW = sorted(set(FORMATS) - set(DEEP))


# -- files out --------------------------------------------------------------------------------


@pytest.mark.parametrize("transparency", TRANSPARENCY)
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("name", DEEP)
def test_all_bits_are_written_where_a_format_can_hold_them(caplog, name, colour, transparency):
    picture = Picture(COLOURS[colour], TRANSPARENCY[transparency])
    if name == "pgm" and colour == "rgb":
        pytest.skip("a PGM has no colour")
    with caplog.at_level(logging.WARNING, "nic"):
        data = write(picture, name)
    found = plain_readers.READERS[name](data)
    expected = picture.samples if name in WITH_ALPHA else flattened(picture)
    assert found.dtype == np.uint16
    if name == "ppm" and colour == "grey":  # as netpbm has it, a grey PPM is a PGM
        assert data.startswith(b"P5")
    assert np.array_equal(found, expected)
    assert len(caplog.records) == (name not in WITH_ALPHA and picture.alpha is not None)
    if name != "npy":
        assert np.array_equal(read(data).samples, expected)


@pytest.mark.parametrize("transparency", TRANSPARENCY)
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("name", SHALLOW)
def test_other_formats_get_8_bits_by_rounding(name, colour, transparency):
    picture = Picture(COLOURS[colour], TRANSPARENCY[transparency])
    assert write(picture, name) == write(of_depth(picture, 8), name)


@pytest.mark.parametrize("name", ["png", "tiff"])
def test_deep_files_have_the_metadata_of_8_bit_files(name):
    exif = Image.Exif()
    exif[0x010F], exif[0x011A] = "maker", 300.0
    exif.get_ifd(0x8769)[0x9003] = "2024:01:02 03:04:05"
    exif.get_ifd(0x8825)[1] = "N"
    icc = bytes(128) + b"no profile, but kept"
    kept = Metadata(icc, exif.tobytes()[6:], b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    deep, shallow = (write(of_depth(Picture(GREY, None, kept), depth), name) for depth in (16, 8))
    images = [Image.open(io.BytesIO(data)) for data in (deep, shallow)]
    for image in images:
        image.load()
    facts = [
        (
            image.info.get("icc_profile"),
            image.info.get("xmp"),
            image.getexif().get(0x010F),
            image.getexif().get_ifd(0x8769),
            image.getexif().get_ifd(0x8825),
        )
        for image in images
    ]
    assert facts[0] == facts[1]
    assert facts[0][0] == icc
    assert facts[0][3] == {0x9003: "2024:01:02 03:04:05"}
    if name == "tiff":
        tags = tifffile.TiffFile(io.BytesIO(deep)).pages[0].tags
        assert tags[34665].value == {"DateTimeOriginal": "2024:01:02 03:04:05"}
        assert tags[34853].value == {"GPSLatitudeRef": "N"}
        assert tags[282].value == (300, 1)


@pytest.mark.parametrize("count", [1, 5])
def test_a_png_of_16_bits_is_sound(count):
    """Every chunk has its checksum, and the metadata stands before the pixels."""
    rgb = np.tile(RGB, (count, 1, 1))
    data = write(Picture(rgb, None, Metadata(icc=b"profile", xmp=b"<x/>")), "png")
    kinds = [kind for kind, _ in plain_readers.chunks(data)]
    assert kinds[0] == b"IHDR"
    assert kinds.index(b"iCCP") < kinds.index(b"IDAT")
    assert kinds.count(b"iTXt") == 1


def test_a_deep_png_says_so_in_its_header():
    data = write(RGB, "png")
    assert struct.unpack(">IIBB", data[16:26]) == (W, H, 16, 2)


# -- depth as an option -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A picture of 16 bits and the same picture of 8 bits, as .nic files."""
    folder = tmp_path_factory.mktemp("depth")
    for name, pixels in (("deep", ramp(1024, 24)), ("shallow", with_depth(ramp(1024, 24), 8))):
        (folder / f"{name}.nic").write_bytes(nic.compress(pixels, quality=100))
    return folder


@pytest.mark.parametrize("program", ["decode", "decompress"])
@pytest.mark.parametrize(
    ("name", "options", "depth"),
    [
        ("deep", (), 16),
        ("deep", ("--depth", 8), 8),
        ("deep", ("--depth", 16), 16),
        ("shallow", (), 8),
        ("shallow", ("--depth", 8), 8),
        ("shallow", ("--depth", 16), 16),
    ],
)
def test_the_option_decides(files, program, name, options, depth):
    for picture_format in DEEP:
        result = invoke(program, *options, "--format", picture_format, "-o", "-",
                        files / f"{name}.nic")  # fmt: skip
        assert (result.code, result.err) == (0, "")
        found = plain_readers.READERS[picture_format](result.out)
        assert found.dtype == (np.uint16 if depth == 16 else np.uint8)


@pytest.mark.parametrize("program", ["decode", "decompress"])
@pytest.mark.parametrize("name", SHALLOW)
def test_16_bits_for_a_format_without_them_are_one_error(files, tmp_path, program, name):
    deep, shallow = files / "deep.nic", files / "shallow.nic"
    out = tmp_path / f"a.{name}"
    result = invoke(program, "--depth", 16, deep, "-o", out)
    assert_fails(result, 2, f"{name} cannot hold 16 bits per sample; use one of png, tiff, ppm")
    assert not out.exists()
    if program == "decompress":
        result = invoke(program, "--depth", 16, "--format", name, "--output-dir", tmp_path, deep,
                        shallow)  # fmt: skip
        assert_fails(result, 2, "cannot hold 16 bits")
        assert not list(tmp_path.iterdir())
    plain, eight = (
        invoke(program, *options, "--format", name, "-o", "-", deep)
        for options in ((), ("--depth", 8))
    )
    assert (plain.code, plain.err, plain.out) == (0, "", eight.out)


def test_a_format_says_its_depth():
    assert [depth_in("png", depth) for depth in (None, 8, 16)] == [None, 8, 16]
    assert [depth_in("jpeg", depth) for depth in (None, 8)] == [8, 8]


def test_only_two_depths_are_known(files):
    assert_fails(invoke("decode", "--depth", 12, files / "deep.nic"), 2, "'12' is not one of")
    with pytest.raises(UsageError, match="8 or 16, not 12"):
        nic.decompress((files / "deep.nic").read_bytes(), depth=12)
