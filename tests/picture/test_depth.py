"""Sixteen bits per sample: from every format, through all stages, into every format that has them.

What is written is read by readers that share no code with the writers (``plain_readers``).
"""

import io
import logging
import struct

import imagecodecs  # noqa: TID253
import numpy as np
import plain_readers
import pytest
import tifffile  # noqa: TID253
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pictures import raw_png
from PIL import Image
from programs import assert_fails, invoke
from records import to_bytes

import nic
import nic.pillow
from nic.codec import Codec
from nic.errors import CorruptError, UsageError
from nic.format.records import Stage
from nic.picture import alpha as alphas
from nic.picture import metrics
from nic.picture.formats import DEEP, FORMATS, WITH_ALPHA, depth_in
from nic.picture.metadata import Metadata
from nic.picture.pixels import Picture, flattened, of_depth, with_depth
from nic.picture.readers import of_image, read
from nic.picture.rows import of_picture, open_picture
from nic.picture.writers import write

H, W = 20, 28
RNG = np.random.default_rng(5)
RGB = RNG.integers(0, 65536, (H, W, 3)).astype(np.uint16)
GREY = np.ascontiguousarray(RGB[..., 1])
ALPHA = RNG.integers(0, 65536, (H, W)).astype(np.uint16)
ALPHA[:3] = [[0], [65535], [1]]
COLOURS = {"grey": GREY, "rgb": RGB}
TRANSPARENCY = {"opaque": None, "alpha": ALPHA}
SHALLOW = sorted(set(FORMATS) - set(DEEP))


def big(samples):
    return samples.astype(">u2").tobytes()


def tiff(samples, kind, **settings):
    out = io.BytesIO()
    tifffile.imwrite(out, samples, photometric=kind, metadata=None, **settings)
    return out.getvalue()


def pam(kind, samples, most):
    h, w, count = samples.shape
    head = f"P7\nWIDTH {w}\nHEIGHT {h}\nDEPTH {count}\nMAXVAL {most}\nTUPLTYPE {kind}\nENDHDR\n"
    return head.encode() + big(samples)


def ramp(levels=16384, rows=64):
    """A diagonal ramp of so many equally distant levels, with steps of a few samples."""
    y, x = np.mgrid[:rows, : levels // 16]
    at = (x * 16 + y * 16 // rows) * 65535 / (levels - 1)
    return np.rint(at).astype(np.uint16)


# -- files in ---------------------------------------------------------------------------------

KEY = RGB[3, 3]
# name -> file, pixels, alpha
INPUTS = {
    "png grey": (raw_png(GREY[..., None], 0), GREY, None),
    "png grey, one value transparent": (
        raw_png(GREY[..., None], 0, GREY[3, 3]), GREY, np.where(GREY[3, 3] == GREY, 0, 65535)),
    "png grey alpha": (raw_png(np.dstack([GREY, ALPHA]), 4), GREY, ALPHA),
    "png rgb": (raw_png(RGB, 2), RGB, None),
    "png rgb, one colour transparent": (
        raw_png(RGB, 2, *KEY), RGB, np.where((RGB == KEY).all(axis=2), 0, 65535)),
    "png rgba": (raw_png(np.dstack([RGB, ALPHA]), 6), RGB, ALPHA),
    "tiff grey": (tiff(GREY, "minisblack"), GREY, None),
    "tiff grey alpha": (
        tiff(np.dstack([GREY, ALPHA]), "minisblack", planarconfig="contig",
             extrasamples=["unassalpha"]), GREY, ALPHA),
    "tiff rgb": (tiff(RGB, "rgb", byteorder=">", compression="lzw"), RGB, None),
    "tiff rgb in planes": (
        tiff(np.moveaxis(RGB, 2, 0), "rgb", planarconfig="separate"), RGB, None),
    "tiff rgba": (
        tiff(np.dstack([RGB, ALPHA]), "rgb", extrasamples=["unassalpha"], compression="zlib",
             predictor=True), RGB, ALPHA),
    "pgm": (b"P5 28 20 65535\n" + big(GREY), GREY, None),
    "pgm as text": (
        b"P2 28 20 # and so on\n65535\n" + b"\n".join(b"%d" % v for v in GREY.flat), GREY, None),
    "ppm": (b"P6 28 20 65535\n" + big(RGB), RGB, None),
    "ppm as text": (b"P3 28 20 65535 " + b" ".join(b"%d" % v for v in RGB.flat), RGB, None),
    "pam grey": (pam("GRAYSCALE", GREY[..., None], 65535), GREY, None),
    "pam grey alpha": (
        pam("GRAYSCALE_ALPHA", np.dstack([GREY, ALPHA]), 65535), GREY, ALPHA),
    "pam rgb": (pam("RGB", RGB, 65535), RGB, None),
    "pam rgba": (pam("RGB_ALPHA", np.dstack([RGB, ALPHA]), 65535), RGB, ALPHA),
}  # fmt: skip


@pytest.mark.parametrize("name", INPUTS)
def test_all_bits_of_a_file_are_read_without_a_note(caplog, name):
    data, pixels, alpha = INPUTS[name]
    with caplog.at_level(logging.DEBUG, "nic"):
        found = read(data)
    assert found.pixels.dtype == np.uint16
    assert np.array_equal(found.pixels, pixels)
    assert (found.alpha is None) == (alpha is None)
    assert alpha is None or (found.alpha.dtype, found.alpha.tolist()) == (np.uint16, alpha.tolist())
    assert not caplog.records


@pytest.mark.parametrize("most", [1023, 4095, 256, 65534])
def test_samples_of_10_and_12_bits_get_the_range_of_16(most):
    values = RNG.integers(0, most + 1, (H, W))
    values[0, :2] = 0, most
    expected = np.rint(values * 65535 / most)
    files = (
        b"P5 28 20 %d\n" % most + big(values),
        pam("GRAYSCALE", values[..., None], most),
        b"P2 28 20 %d\n" % most + b" ".join(b"%d" % v for v in values.flat),
    )
    for data in files:
        found = read(data).pixels
        assert found.dtype == np.uint16
        assert np.array_equal(found, expected)


def sgi(samples):
    """An SGI file of 16 bits per sample; its rows go from bottom to top."""
    planes = samples[None] if samples.ndim == 2 else samples.transpose(2, 0, 1)
    head = struct.pack(
        ">HBBHHHHII", 474, 0, 2, min(3, 1 + len(planes)), W, H, len(planes), 0, 65535
    )
    return head.ljust(512, b"\0") + big(planes[:, ::-1])


def bc6h():
    """A DDS file of floating-point samples, 4x4 pixels."""
    head = struct.pack("<4s7I44x", b"DDS ", 124, 0x1007, 4, 4, 16, 0, 0)
    head += struct.pack("<II4s20x", 32, 4, b"DX10") + struct.pack("<I16x", 0x1000)
    return head + struct.pack("<5I", 95, 3, 0, 1, 0) + bytes(16)


def jpeg_2000_in_ycc():
    """A JPEG 2000 file of 12 bits whose colour is not RGB."""
    data = bytearray(imagecodecs.jpeg2k_encode(RGB >> 4, bitspersample=12, codecformat="jp2"))
    at = data.index(b"colr") + 7
    assert data[at : at + 4] == (16).to_bytes(4, "big")
    data[at + 3] = 18
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "bits"), [(sgi(RGB), 16), (sgi(GREY), 16), (bc6h(), 16), (jpeg_2000_in_ycc(), 12)],
    ids=["SGI", "grey SGI", "DDS", "JPEG 2000"],
)  # fmt: skip
def test_a_reader_that_has_no_more_than_8_bits_says_so(caplog, data, bits):
    with caplog.at_level(logging.WARNING, "nic"):
        assert read(data).pixels.dtype == np.uint8
    assert [r.message for r in caplog.records] == [f"note: {bits} bits per sample are read as 8"]


def test_a_long_text_of_samples_is_read_in_pieces():
    """Even where a comment or a very long gap lies between two of them."""
    values = RNG.integers(0, 65536, (300, 700, 3))
    lines = [b" ".join(b"%d" % v for v in row.flat) for row in values]
    lines[150] += b" # a comment" + b" " * (1 << 21)
    data = b"P3 700 300 65535\n" + b"\n".join(lines)
    assert len(data) > 3 << 20
    assert np.array_equal(read(data).pixels, values)


def test_only_the_same_16_bits_are_the_transparent_colour():
    """Another colour with the same high bytes is not."""
    samples = np.full((2, 2, 3), 0x1234, np.uint16)
    samples[0, 0] = 0x1235
    alpha = read(raw_png(samples, 2, 0x1235, 0x1235, 0x1235)).alpha
    assert alpha.tolist() == [[0, 65535], [65535, 65535]]


def test_a_deep_ppm_is_read_a_few_rows_at_a_time():
    data = b"P6 28 20 4095\n" + big(RGB // 16)
    source = io.BytesIO(data)
    picture = open_picture(source, strip_pixels=1)
    first = picture.read(3)
    assert source.tell() < len(data)
    rest = [picture.read(n) for n in (0, H - 3)]
    found = np.concatenate([first, *rest])
    assert np.array_equal(found, np.rint((RGB // 16) * (65535 / 4095)))
    with pytest.raises(CorruptError, match="before its last row"):
        open_picture(io.BytesIO(data[:-1]), strip_pixels=1).read(H)


@pytest.mark.parametrize("name", INPUTS)
def test_half_a_deep_picture_is_refused(name):
    data = INPUTS[name][0]
    with pytest.raises(CorruptError):
        read(data[: len(data) // 2])


def test_faults_of_deep_files_are_named():
    faults = {
        b"P5 1 1 1023\n\4\0": "samples above 1023",
        b"P2 1 1 1023 1024": "samples above 1023",
        b"P2 1 1 1023 -1": "samples above 1023",
        b"P2 1 1 1023 one": "a sample is not a number",
        b"P2 1 1 1023 " + b"9" * 30: "a sample is not a number",
        b"P2 1 2 1023 100 ": "ends before its last row",
        b"P2 30000 20000 1023 1 ": "ends before its last row",
        b"P5 1 1 65536\n\0\0": "65536 is no maximum of samples",
    }
    for data, message in faults.items():
        with pytest.raises(CorruptError, match=message):
            read(data)
    with pytest.raises(CorruptError, match="65536 is no maximum"):
        open_picture(io.BytesIO(b"P5 9 9 65536\n"), strip_pixels=1)


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(sorted(INPUTS)),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_a_damaged_deep_picture_is_read_or_refused_and_nothing_else(name, damage):
    data = bytearray(INPUTS[name][0])
    for at, value in damage:
        data[at % len(data)] = value
    try:
        read(bytes(data))
    except nic.NicError:
        return


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


# -- through the codec ------------------------------------------------------------------------


@pytest.mark.parametrize("transparency", TRANSPARENCY)
@pytest.mark.parametrize("colour", COLOURS)
def test_16_bits_go_in_and_come_out(colour, transparency):
    """Alpha exactly, and pixels as near as the quality allows."""
    pixels = ramp(4096, 48) if colour == "grey" else np.dstack([ramp(4096, 48)] * 3)
    alpha = TRANSPARENCY[transparency]
    alpha = None if alpha is None else np.resize(alpha, pixels.shape[:2])
    samples = Picture(pixels, alpha).samples
    data = nic.compress(samples, quality=100)
    assert nic.info(data)[0]["bit_depth"] == 16
    found = nic.decompress(data, full=True)
    assert found.pixels.dtype == np.uint16
    assert found.pixels.shape == pixels.shape
    assert alpha is None or np.array_equal(found.alpha, alpha)
    assert len(np.unique(found.pixels)) > 2000
    shallow = nic.decompress(data, depth=8)
    assert shallow.dtype == np.uint8
    assert np.abs(with_depth(found.samples, 8).astype(int) - shallow).max() <= 1


@pytest.mark.parametrize("model", ["light", "light-visual"])
def test_a_ramp_of_16384_levels_has_no_bands(model):
    """Thousands of levels come back, 3 dB nearer than through 8 bits, and without flat runs."""
    y, x = np.mgrid[:1024, :1024]
    at = y + 0.618 * x
    source = np.rint(np.rint(at / at.max() * 16383) * (65535 / 16383)).astype(np.uint16)
    deep = nic.decompress(nic.compress(source, quality=100, model=model))
    shallow = nic.decompress(nic.compress(with_depth(source, 8), quality=100, model=model))
    assert len(np.unique(source)) > 16000
    assert len(np.unique(deep)) > 16000
    assert len(np.unique(shallow)) <= 256
    flat = np.diff(np.flatnonzero(np.diff(deep.astype(int).ravel()))).max()
    assert flat < 8
    assert np.diff(np.flatnonzero(np.diff(shallow.astype(int).ravel()))).max() > 8
    gain = metrics.psnr(source, deep) - metrics.psnr(source, with_depth(shallow, 16))
    assert gain > 3


@pytest.mark.parametrize("colour", COLOURS)
def test_8_bits_as_16_have_the_same_symbols(codec, colour):
    """Only the flag in the header and the rounding at the end differ."""
    shallow = with_depth(COLOURS[colour], 8)
    files = [
        to_bytes(codec.forward(codec.encode(pixels), Stage.PACKED))
        for pixels in (shallow, with_depth(shallow, 16))
    ]
    (old, new), places = files, []
    places = [i for i, both in enumerate(zip(old, new, strict=True)) if both[0] != both[1]]
    assert new[places[0]] == old[places[0]] | 0x20
    assert len(places) <= 5  # the flag and the checksum of its chunk
    assert np.array_equal(nic.decompress(new, depth=8), nic.decompress(old))
    assert np.array_equal(nic.decompress(old, depth=16), nic.decompress(new))


def test_strips_have_the_depth_of_their_picture():
    deep = ramp(1024, 96)
    alpha = np.resize(ALPHA, deep.shape)
    alpha[:48] = 65535
    picture = Picture(deep, alpha)
    codec = Codec(strip_pixels=1)
    data = b"".join(to_bytes(r) for r in codec.compress(of_picture(picture)))
    found = nic.decompress(data, full=True)
    assert [facts["bit_depth"] for facts in nic.info(data)] == [16] * 6
    assert np.array_equal(found.alpha, alpha)
    ppm = invoke("decode", "--format", "ppm", data=data).out
    assert np.array_equal(plain_readers.pnm(ppm), flattened(found))


def test_strips_of_different_depths_are_no_picture(codec):
    def strips(pixels):
        return list(Codec(strip_pixels=1).compress(of_picture(Picture(pixels))))

    first, second = strips(ramp(512, 32)), strips(with_depth(ramp(512, 32), 8))
    with pytest.raises(CorruptError, match="where row 16 is due"):
        nic.decompress(to_bytes(first[0]) + to_bytes(second[1]))


def test_no_strip_of_another_depth_is_salvaged():
    """What follows a strip of 16 bits with 8 bits is lost, and not joined to it."""
    codec = Codec(strip_pixels=1)
    pictures = ramp(512, 32), with_depth(ramp(512, 32), 8)
    first, second = (list(codec.compress(of_picture(Picture(p)))) for p in pictures)
    found = invoke(
        "decode", "--tolerate", "--format", "npy", data=to_bytes(first[0]) + to_bytes(second[1])
    )
    assert found.code == 6
    assert "lost" in found.err
    assert np.load(io.BytesIO(found.out)).dtype == np.uint16


def test_a_search_for_a_target_keeps_16_bits():
    source = np.dstack([ramp(2048, 64)] * 3)
    data = nic.compress(source, target_psnr=45)
    found = nic.decompress(data)
    assert found.dtype == np.uint16
    assert metrics.psnr(source, found) >= 45


# -- alpha ------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(
    arrays.arrays(
        np.uint16,
        st.tuples(st.integers(1, 13), st.integers(1, 13)),
        elements=st.sampled_from([0, 65535]) | st.integers(0, 65535),
    )
)
def test_any_deep_alpha_is_kept_exactly(alpha):
    found = alphas.parse(alphas.lossless(alpha), *alpha.shape[::-1])
    assert np.array_equal(with_depth(found, 16), alpha)


def test_alpha_that_fits_into_fewer_bits_takes_no_more():
    """8 or 1 bits, and scaled to the 16 bits of the picture when it is decoded."""
    for shallow in (with_depth(ALPHA, 8), (ALPHA > 9).astype(np.uint8) * np.uint8(255)):
        deep = with_depth(shallow, 16)
        assert alphas.lossless(deep) == alphas.lossless(shallow)
        found = nic.decompress(nic.compress(Picture(RGB, deep)), full=True)
        assert np.array_equal(found.alpha, deep)


def test_deep_alpha_with_losses_is_near():
    alpha = np.resize(ramp(1024, 64), (64, 64))
    pixels = np.zeros((64, 64, 3), np.uint16)
    found = nic.decompress(nic.compress(Picture(pixels, alpha), alpha_quality=90), full=True)
    assert found.alpha.dtype == np.uint16
    assert metrics.psnr(alpha, found.alpha) > 30


def test_pixels_and_alpha_have_one_type():
    with pytest.raises(UsageError, match="uint16 and uint8"):
        nic.compress(Picture(RGB, with_depth(ALPHA, 8)))


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


# -- arrays and Pillow ------------------------------------------------------------------------


def test_an_array_of_either_byte_order_is_taken():
    native = nic.compress(RGB)
    assert nic.compress(RGB.astype(">u2")) == nic.compress(RGB.astype("<u2")) == native
    with pytest.raises(UsageError, match="array of uint32 is not a picture"):
        nic.compress(RGB.astype(np.uint32))


def test_a_pillow_image_of_16_bits_keeps_them():
    image = Image.fromarray(GREY)
    assert np.array_equal(of_image(image).pixels, GREY)
    out = io.BytesIO()
    image.save(out, "NIC", quality=100)
    assert nic.info(out.getvalue())[0]["bit_depth"] == 16
    again = Image.open(out)
    assert again.mode == "I;16"
    assert np.array_equal(np.array(again), nic.decompress(out.getvalue()))


@pytest.mark.parametrize(
    ("picture", "mode"),
    [(Picture(RGB), "RGB"), (Picture(GREY, ALPHA), "LA"), (Picture(RGB, ALPHA), "RGBA")],
)
def test_pillow_gets_8_bits_where_it_has_no_mode_for_16(picture, mode):
    data = nic.compress(picture)
    image = Image.open(io.BytesIO(data))
    assert image.mode == mode
    assert np.array_equal(np.array(image), nic.decompress(data, depth=8))


# -- arithmetic -------------------------------------------------------------------------------


def test_depths_are_converted_by_rounding():
    every = np.arange(65536, dtype=np.uint16)
    assert np.array_equal(with_depth(every, 8), np.floor(every / 257 + 0.5))
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(with_depth(with_depth(levels, 16), 8), levels)
    assert with_depth(levels, 16).tolist() == [257 * v for v in range(256)]


@pytest.mark.parametrize("colour", COLOURS)
def test_deep_pixels_are_blended_over_white(colour):
    pixels = COLOURS[colour]
    part = (ALPHA if pixels.ndim == 2 else ALPHA[..., None]) / 65535
    expected = pixels * part + 65535 * (1 - part)
    assert np.abs(flattened(Picture(pixels, ALPHA)) - expected).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("colour", COLOURS)
def test_hidden_deep_pixels_do_not_matter(colour):
    pixels = COLOURS[colour]
    hidden = ALPHA < 30000
    alpha = np.where(hidden, 0, ALPHA).astype(np.uint16)
    other = pixels.copy()
    other[hidden] = 0
    filled = alphas.fill_hidden(pixels, alpha)
    assert filled.dtype == np.uint16
    assert np.array_equal(filled, alphas.fill_hidden(other, alpha))
    assert np.array_equal(filled[~hidden], pixels[~hidden])
    nothing = alphas.fill_hidden(pixels, np.zeros_like(alpha))
    assert np.all(nothing == 128 * 257)


def test_measures_do_not_depend_on_the_depth():
    """65535 counts as 255."""
    rng = np.random.default_rng(2)
    pair = [rng.integers(0, 256, (180, 176, 3), np.uint8) for _ in range(2)]
    deep = [with_depth(pixels, 16) for pixels in pair]
    assert metrics.psnr(*deep) == pytest.approx(metrics.psnr(*pair))
    assert metrics.psnr(deep[0], pair[1]) == pytest.approx(metrics.psnr(*pair))
    assert metrics.similarities(*deep) == pytest.approx(metrics.similarities(*pair))
    near = deep[0] ^ 1
    assert metrics.psnr(deep[0], near) == pytest.approx(10 * np.log10(65535**2))


def test_a_deep_png_says_so_in_its_header():
    data = write(RGB, "png")
    assert struct.unpack(">IIBB", data[16:26]) == (W, H, 16, 2)
