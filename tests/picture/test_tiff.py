"""TIFF in every layout: written by tifffile with other read as what the samples mean."""

import io
import itertools
import logging

import numpy as np
import pytest
from PIL import Image

from nic.errors import CorruptError, NicError, UsageError
from nic.limits import Limit
from nic.picture.metadata import Metadata
from nic.picture.pixels import Picture
from nic.picture.readers import read
from nic.picture.writers import write

tifffile = pytest.importorskip("tifffile")
imagecodecs = pytest.importorskip("imagecodecs")

H, W = 37, 52
Y, X = np.mgrid[:H, :W]
DEEP = np.stack([1700 * Y, 900 * X + 11 * Y, 65535 - 1200 * X], axis=-1).astype(np.uint16)
ALPHA = np.clip(1400 * X - 3000, 0, 65535).astype(np.uint16)
LOSSLESS = ("zlib", "lzw", "packbits", "lzma", "zstd", "png", "jpegxl", "jpeg2000")


def shallow(deep):
    return np.rint(deep / 257).astype(np.uint8)


def tiff(samples, **settings):
    out = io.BytesIO()
    tifffile.imwrite(out, samples, metadata=None, **settings)
    return out.getvalue()


def assert_same(found, samples):
    """The picture is that of these samples; if it is of 8 bits, then of their rounded ones."""
    wanted = shallow(samples) if samples.dtype == np.uint16 and found.dtype == np.uint8 else samples
    assert found.dtype == wanted.dtype
    assert np.array_equal(found, wanted)


LAYOUTS = [
    dict(zip(("planarconfig", "tile", "bigtiff", "byteorder"), values, strict=True))
    for values in itertools.product(
        ("contig", "separate"), (None, (32, 16)), (False, True), ("<", ">")
    )
]


@pytest.mark.parametrize("settings", LAYOUTS, ids=str)
@pytest.mark.parametrize("depth", [8, 16])
def test_every_layout_gives_the_same_picture(settings, depth):
    samples = DEEP if depth == 16 else shallow(DEEP)
    stored = samples if settings["planarconfig"] == "contig" else np.moveaxis(samples, 2, 0)
    for compression in (None, "zlib"):
        data = tiff(stored, photometric="rgb", rowsperstrip=None if settings["tile"] else 7,
                    compression=compression, predictor=bool(compression), **settings)  # fmt: skip
        assert_same(read(data).pixels, samples)


@pytest.mark.parametrize("compression", LOSSLESS)
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("grey", [True, False], ids=["grey", "colour"])
def test_every_compression_is_read(compression, depth, grey):
    samples = DEEP if depth == 16 else shallow(DEEP)
    samples = np.ascontiguousarray(samples[..., 1]) if grey else samples
    settings = {"reversible": True} if compression == "jpeg2000" else {}
    if compression == "jpegxl":
        settings = {"lossless": True}
    data = tiff(samples, photometric="minisblack" if grey else "rgb", compression=compression,
                compressionargs=settings)  # fmt: skip
    assert_same(read(data).pixels, samples)


@pytest.mark.parametrize("depth", [8, 16])
def test_white_may_be_zero(depth):
    grey = DEEP[..., 1] if depth == 16 else shallow(DEEP[..., 1])
    data = tiff(np.iinfo(grey.dtype).max - grey, photometric="miniswhite")
    assert_same(read(data).pixels, grey)


@pytest.mark.parametrize("compression", [None, "ccittfax4", "lzw"])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_one_bit_becomes_grey(photometric, compression):
    mask = (X + Y) % 9 < 4
    out = io.BytesIO()
    image = Image.fromarray(mask)
    names = {None: "raw", "ccittfax4": "group4", "lzw": "tiff_lzw"}
    image.save(out, "TIFF", compression=names[compression],
               tiffinfo={262: int(photometric == "minisblack")})  # fmt: skip
    found = read(out.getvalue()).pixels
    assert np.array_equal(found, np.array(Image.open(out).convert("L")))


@pytest.mark.parametrize("bits", [2, 4, 10, 12, 14])
def test_samples_of_other_widths_are_scaled(bits):
    most = (1 << bits) - 1
    values = np.rint(DEEP[..., 1] / 65535 * most)
    packed = values.astype(np.uint8 if bits <= 8 else np.uint16)
    found = read(tiff(packed, photometric="minisblack", bitspersample=bits)).pixels
    assert np.abs(found / np.iinfo(found.dtype).max - values / most).max() < 0.5 / 255 + 1e-9


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize(
    ("kind", "note"), [("unspecified", True), ("assocalpha", False), ("unassalpha", False)]
)
def test_a_fourth_sample_is_alpha_only_if_the_file_says_so(caplog, depth, planar, kind, note):
    rgb, alpha = (DEEP, ALPHA) if depth == 16 else (shallow(DEEP), shallow(ALPHA))
    white = np.iinfo(rgb.dtype).max
    stored = rgb
    if kind == "assocalpha":
        stored = np.rint(rgb * (alpha[..., None] / white)).astype(rgb.dtype)
    samples = np.dstack([stored, alpha])
    samples = samples if planar == "contig" else np.moveaxis(samples, 2, 0)
    data = tiff(samples, photometric="rgb", planarconfig=planar, extrasamples=[kind])
    with caplog.at_level(logging.WARNING, "nic"):
        found = read(data)
    lost = [record.message for record in caplog.records if "alpha" in record.message]
    assert len(lost) == note
    if note:
        assert found.alpha is None
        assert_same(found.pixels, rgb)
        return
    assert_same(found.alpha, alpha)
    seen = alpha > white // 2  # elsewhere multiplication has left few levels
    error = np.abs(found.pixels / np.iinfo(found.pixels.dtype).max - rgb / white)
    assert error[seen].max() < 1.6 / 255


def test_further_samples_are_noted(caplog):
    samples = np.dstack([shallow(DEEP)] * 2)
    data = tiff(samples, photometric="rgb", planarconfig="contig",
                extrasamples=["unassalpha", "unspecified", "unspecified"])  # fmt: skip
    with caplog.at_level(logging.WARNING, "nic"):
        found = read(data)
    assert np.array_equal(found.pixels, shallow(DEEP))
    assert np.array_equal(found.alpha, samples[..., 3])
    assert "2 samples of each pixel" in caplog.text


def test_a_palette_becomes_colour():
    table = np.stack([np.arange(256) ** 2 % 256, np.arange(256), 255 - np.arange(256)])
    indices = shallow(DEEP[..., 1])
    data = tiff(indices, photometric="palette", colormap=(table * 257).astype(np.uint16))
    assert np.array_equal(read(data).pixels, table.T.astype(np.uint8)[indices])


@pytest.mark.parametrize("compression", ["jpeg", None])
def test_ycbcr_becomes_rgb(compression):
    rgb = shallow(DEEP)
    out = io.BytesIO()
    Image.fromarray(rgb).convert("YCbCr").save(out, "TIFF", compression=compression)
    with tifffile.TiffFile(io.BytesIO(out.getvalue())) as file:
        assert file.pages[0].photometric == tifffile.PHOTOMETRIC.YCBCR
    assert np.abs(read(out.getvalue()).pixels.astype(int) - rgb).mean() < 4


@pytest.mark.parametrize("depth", [8, 16])
def test_cmyk_without_a_profile_is_converted_naively(caplog, depth):
    ink = np.dstack([DEEP, ALPHA // 3])
    ink = ink if depth == 16 else shallow(ink)
    with caplog.at_level(logging.WARNING, "nic"):
        found = read(tiff(ink, photometric="separated", planarconfig="contig")).pixels
    light = 1 - ink / np.iinfo(ink.dtype).max
    wanted = light[..., :3] * light[..., 3:]
    assert np.abs(found / np.iinfo(found.dtype).max - wanted).max() < 0.6 / 255
    assert "CMYK is converted to RGB without a profile" in caplog.text


@pytest.mark.parametrize(
    ("samples", "settings", "words"),
    [
        (DEEP.astype(np.uint32) << 16, {"photometric": "rgb"}, "samples of 32 bits"),
        (DEEP.astype(np.float32), {"photometric": "rgb"}, "floating-point samples"),
        (DEEP[..., 0].astype(np.float64), {}, "floating-point samples"),
        (DEEP[..., 0].astype(np.float16), {}, "floating-point samples"),
        (DEEP[..., 0].astype(np.int16), {"photometric": "minisblack"}, "signed integer samples"),
        (shallow(DEEP).astype(np.int8), {"photometric": "rgb"}, "signed integer samples"),
        (shallow(DEEP), {"photometric": "cielab"}, "in CIELAB"),
        (DEEP[..., 0], {"photometric": "cfa"}, "a camera's raw data"),
        (DEEP.astype(np.uint64), {"photometric": "rgb"}, "samples of 64 bits"),
    ],
)  # fmt: skip
def test_what_cannot_be_coded_is_refused_by_name(samples, settings, words):
    with pytest.raises(UsageError, match=words):
        read(tiff(np.ascontiguousarray(samples), **settings))


def test_a_thumbnail_is_not_the_picture(caplog):
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(shallow(DEEP)[::4, ::4], photometric="rgb", subfiletype=1, metadata=None)
        writer.write(shallow(DEEP), photometric="rgb", metadata=None)
    assert np.array_equal(read(out.getvalue()).pixels, shallow(DEEP))
    assert not caplog.records


CFA = {"photometric": "cfa"}


def nested(below, reduced=True, **settings):
    """A TIFF file whose first page is small and has another page inside of it."""
    out, flag = io.BytesIO(), {"subfiletype": 1} if reduced else {}
    small = np.ascontiguousarray(shallow(DEEP)[::4, ::4])
    with tifffile.TiffWriter(out) as writer:
        about = {"metadata": None, "description": "a ramp", "iccprofile": b"profile",
                 "extratags": [(274, 3, 1, 8, True)]}  # fmt: skip
        writer.write(small, photometric="rgb", subifds=1, **flag, **about)
        writer.write(below, metadata=None, **settings)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        nested(DEEP[..., 0], **CFA),
        nested(DEEP[..., 0], reduced=False, **CFA),
        nested(DEEP, photometric=34892),
    ],
    ids=["DNG", "its preview is whole", "linear"],
)
def test_of_a_raw_photograph_the_preview_is_not_taken_for_the_picture(data):
    with pytest.raises(UsageError, match="a camera's raw data"):
        read(data)


def test_a_raw_photograph_of_canon_is_named():
    """Its first pages are previews, and nothing there says so."""
    plain = tiff(shallow(DEEP), photometric="rgb")
    with pytest.raises(UsageError, match=r"raw photograph \(CR2\), which is not read; develop"):
        read(b"II*\0\x10\0\0\0CR\2\0" + bytes(4) + plain[8:])


def test_a_picture_inside_of_a_thumbnail_is_the_picture(caplog):
    """And the first page says what it is, and how it is turned."""
    found = read(nested(DEEP, photometric="rgb"))
    assert np.array_equal(found.pixels, np.rot90(DEEP))
    tags = Image.Exif()
    tags.load(found.metadata.exif)
    assert (tags[270], found.metadata.icc) == ("a ramp", b"profile")
    assert not caplog.records


def test_a_smaller_copy_inside_of_a_picture_is_not_the_picture():
    small = nested(shallow(DEEP)[::8, ::8], False, photometric="rgb", subfiletype=1)
    assert np.array_equal(read(small).pixels, np.rot90(shallow(DEEP)[::4, ::4]))


def test_of_several_pictures_the_first_is_taken_with_a_note(caplog):
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for picture in (DEEP, DEEP[::-1]):
            writer.write(shallow(picture), photometric="rgb", metadata=None)
    with caplog.at_level(logging.WARNING, "nic"):
        assert np.array_equal(read(out.getvalue()).pixels, shallow(DEEP))
    assert [r.message for r in caplog.records] == [
        "note: only the first of several frames is coded"
    ]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_tag_of_orientation_turns_the_pixels(orientation):
    data = tiff(shallow(DEEP), photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    image = Image.open(io.BytesIO(data))
    image.load()  # Pillow turns it
    assert np.array_equal(read(data).pixels, np.array(image))


@pytest.mark.parametrize("settings", LAYOUTS[::5], ids=str)
def test_a_cut_file_is_refused(settings):
    data = tiff(DEEP, photometric="rgb", **settings)
    for cut in (len(data) // 3, len(data) - 700):
        with pytest.raises(CorruptError):
            read(data[:cut])


def test_a_claim_of_a_gigapixel_is_refused_before_it_is_allocated():
    data = tiff(shallow(DEEP), photometric="rgb")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        places = [file.pages[0].tags[tag].valueoffset for tag in (256, 257)]
    forged = bytearray(data)
    for place in places:
        forged[place : place + 4] = (40_000).to_bytes(4, "little")
    with pytest.raises(NicError, match="--max-pixels"):
        read(bytes(forged), Limit(10**8))


def test_resolution_profile_and_description_are_kept():
    data = tiff(shallow(DEEP), photometric="rgb", resolution=(300, 300), resolutionunit=2,
                description="a ramp", iccprofile=b"profile", software="made here")  # fmt: skip
    found = read(data).metadata
    tags = Image.Exif()
    tags.load(found.exif)
    assert (float(tags[282]), tags[296], tags[270]) == (300, 2, "a ramp")
    assert found.icc == b"profile"


@pytest.mark.parametrize("depth", [8, 16])
def test_a_written_file_is_compressed_and_has_the_directories_of_exif(depth):
    tags = Image.Exif()
    tags[0x010F] = "Maker"
    tags.get_ifd(0x8769)[0x829A] = 0.25
    samples = DEEP if depth == 16 else shallow(DEEP)
    data = write(Picture(samples, None, Metadata(exif=tags.tobytes()[6:])), "tiff")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        assert page.compression == tifffile.COMPRESSION.LZW
        assert page.tags.valueof(0x010F) == "Maker"
        assert page.tags.valueof(0x8769)["ExposureTime"] == 0.25
        assert np.array_equal(page.asarray(), samples)
    assert np.array_equal(read(data).pixels, samples)
