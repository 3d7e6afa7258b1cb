"""Sixteen bits per sample from every format that has them."""

import io
import logging
import struct

import imagecodecs  # noqa: TID253
import numpy as np
import pytest
import tifffile  # noqa: TID253
from deep_pictures import ALPHA, GREY, RGB, RNG, H, W
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import raw_png

import nic
from nic.errors import CorruptError
from nic.picture.readers import read
from nic.picture.rows import open_picture


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
