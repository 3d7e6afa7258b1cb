"""Files after public reports, and HDR from end to end: what is declared means the same after it."""

import io
import re
import shutil
import subprocess

import numpy as np
import pytest
from pictures import saved
from PIL import Image
from places import SHARED
from profiles import chunks_of, with_chunks
from programs import invoke

from nic.picture.readers import read

imagecodecs = pytest.importorskip("imagecodecs")

PQ = b"\x09\x10\0\1"
Y, X = np.mgrid[:96, :144]


def pq(luminance):
    """Code values in 0..1 of luminance in cd/m2 (SMPTE ST 2084)."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = (luminance / 10_000) ** m1
    return ((c1 + c2 * power) / (1 + c3 * power)) ** m2


def hdr():
    """A picture from 0.1 to 10,000 cd/m2: uint16 (H, W, 3)."""
    light = 10 ** np.clip(1.5 + 2.5 * np.sin(X / 23) * np.cos(Y / 17), -1, 4)
    return np.rint(65535 * pq(np.stack([light, 0.7 * light, 0.4 * light], axis=-1))).astype("u2")


def psnr_16(a, b):
    return 10 * np.log10(65535**2 / np.mean((a.astype(float) - b) ** 2))


@pytest.mark.parametrize("quality", [30, 80])
def test_hdr_comes_back_as_it_was_declared_and_no_worse(quality):
    samples = hdr()
    plain = imagecodecs.png_encode(samples)
    found = {}
    for name, data in (("declared", with_chunks(plain, (b"cICP", PQ))), ("plain", plain)):
        out = invoke("decompress", data=invoke("compress", "-q", quality, data=data).out).out
        back = imagecodecs.png_decode(out)
        assert back.dtype == np.uint16
        found[name] = chunks_of(out).get(b"cICP"), psnr_16(samples, back)
    assert (found["declared"][0], found["plain"][0]) == (PQ, None)
    assert found["declared"][1] > 30
    assert abs(found["declared"][1] - found["plain"][1]) < 0.1


@pytest.mark.parametrize(("tool", "suffix"), [("avifenc", "avif"), ("cjxl", "jxl")])
def test_hdr_of_other_encoders_is_read_as_hdr(tmp_path, tool, suffix):
    """The encoder takes cICP from a PNG that nic wrote."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    told = subprocess.run([tool, "--version"], check=True, capture_output=True, text=True).stdout
    if re.match(r"cjxl v0\.[0-7]\.", told):
        pytest.skip("cjxl reads cICP from version 0.8 on")
    source = with_chunks(imagecodecs.png_encode(hdr()), (b"cICP", PQ))
    path = tmp_path / "a.png"
    path.write_bytes(invoke("decompress", data=invoke("compress", data=source).out).out)
    subprocess.run([tool, path, tmp_path / f"a.{suffix}"], check=True, capture_output=True)
    if tool == "cjxl":
        said = subprocess.run(["jxlinfo", tmp_path / "a.jxl"], capture_output=True, check=True)
        if b"PQ" not in said.stdout:
            pytest.skip("this cjxl does not read cICP")
    packed = invoke("compress", tmp_path / f"a.{suffix}", "-o", "-").out
    assert chunks_of(invoke("decompress", data=packed).out)[b"cICP"][:2] == PQ[:2]


def test_cwebp_reads_what_is_written(tmp_path):
    if shutil.which("cwebp") is None:
        pytest.skip("cwebp is not installed")
    picture = np.stack([2 * Y, X, 255 - X], axis=-1).astype(np.uint8)
    out = invoke("decompress", data=invoke("compress", data=saved(picture)).out).out
    (tmp_path / "a.png").write_bytes(out)
    subprocess.run(
        ["cwebp", "-lossless", tmp_path / "a.png", "-o", tmp_path / "a.webp"],
        check=True,
        capture_output=True,
    )
    again = np.array(Image.open(tmp_path / "a.webp").convert("RGB"))
    assert np.array_equal(again, np.array(Image.open(io.BytesIO(out))))


# -- the shared files -------------------------------------------------------------------------


def case(name):
    path = SHARED / "cases" / name
    if not path.is_file():
        pytest.skip("the files are not in ../shared/cases")
    return path.read_bytes()


def through(name, *options):
    packed = invoke("compress", data=case(name))
    back = invoke("decompress", *options, data=packed.out)
    assert (packed.code, back.code) == (0, 0)
    return back.out, packed.err + back.err


def test_cicp_and_16_bits_come_back():
    out, said = through("png_cicp_pq16.png")
    assert chunks_of(out)[b"cICP"] == chunks_of(case("png_cicp_pq16.png"))[b"cICP"]
    assert imagecodecs.png_decode(out).dtype == np.uint16
    assert said == ""


def test_linear_light_stays_declared():
    out, said = through("png_gama_1.0.png")
    assert chunks_of(out)[b"gAMA"] == (100_000).to_bytes(4, "big")
    assert Image.open(io.BytesIO(through("png_gama_1.0.png", "--format", "jpeg")[0])).info[
        "icc_profile"
    ]
    assert said == ""


def test_one_pixel_is_transparent():
    assert (read(case("png_rgb16_trns_high_byte.png")).alpha == 0).sum() == 1


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("tiff_grey16_white_is_zero.tif", ""),
        ("tiff_rgb16_planar.tif", ""),
        ("tiff_rgba_extrasamples_0.tif", "neither colour nor alpha is not kept"),
        ("two_pictures.ppm", "only the first of several pictures is coded"),
        ("iptc_comment_dpi.jpg", "comment of 5 bytes is not kept"),
    ],
)
def test_the_others_are_right_or_noted(name, note):
    data = case(name)
    out, said = through(name)
    assert said.count("\n") == bool(note)
    assert note in said
    found = imagecodecs.png_decode(out).astype(float)
    if name.endswith("tif"):
        stored = stored_in(data)
        stored = stored[..., :3] if stored.ndim == 3 else 65535 - stored
        assert found.shape == stored.shape
        assert psnr_16(found * (65535 / found.max()), stored * (65535 / stored.max())) > 22
    if name.endswith("jpg"):
        assert Image.open(io.BytesIO(out)).info["dpi"] == pytest.approx((300, 300), abs=0.02)


def stored_in(data):
    tifffile = pytest.importorskip("tifffile")
    stored = tifffile.imread(io.BytesIO(data))
    return np.moveaxis(stored, 0, 2) if stored.ndim == 3 and len(stored) == 3 else stored
