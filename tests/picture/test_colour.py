"""Declared colour from file to file: carried, written back, made into a profile, or noted."""

import io
import logging
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import raw_png, saved
from PIL import Image, ImageCms
from profiles import INKS, chunks_of, cmyk_profile, lab_of, with_chunks
from programs import invoke
from records import from_bytes, to_bytes

import nic
from nic.codec import Codec
from nic.errors import CorruptError
from nic.picture.colour import declared, profile
from nic.picture.metadata import Metadata
from nic.picture.metadata.writing import fitting
from nic.picture.pixels import Picture
from nic.picture.readers import read
from nic.picture.rows import of_picture
from nic.picture.writers import write

Y, X = np.mgrid[:24, :40]
RGB = np.stack([9 * Y, 5 * X + Y, 255 - 3 * X], axis=-1).astype(np.uint8)
GREY = RGB[..., 1]
GAMMA = lambda g: struct.pack(">I", g)  # noqa: E731
CHRM = lambda *values: struct.pack(">8I", *values)  # noqa: E731
ADOBE = CHRM(31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
CHUNKS = {
    "cICP": b"\x09\x10\0\1", "gAMA": GAMMA(100_000), "cHRM": ADOBE, "sRGB": b"\1",
    "mDCV": bytes(range(24)), "cLLI": bytes(range(8)),
}  # fmt: skip
DISPLAY_P3, REC_2020, PQ, HLG = b"\x0c\x0d\0\1", b"\x09\x01\0\1", CHUNKS["cICP"], b"\x09\x12\0\1"


def declaring(png=None, **chunks):
    chunks = ((name.encode(), content) for name, content in chunks.items())
    return with_chunks(saved(RGB) if png is None else png, *chunks)


def through(data, *options, compress=()):
    """A picture file through both programs, and what they print."""
    packed = invoke("compress", *compress, data=data)
    back = invoke("decompress", *options, data=packed.out)
    assert (packed.code, back.code) == (0, 0), packed.err + back.err
    return back.out, packed.err + back.err


def colour_of(png):
    return {n: chunks_of(png)[n.encode()] for n in CHUNKS if n.encode() in chunks_of(png)}


# -- PNG to PNG -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHUNKS)
def test_every_chunk_comes_back(name):
    out, said = through(declaring(**{name: CHUNKS[name]}))
    assert colour_of(out) == {name: CHUNKS[name]}
    assert said == ""


def test_all_that_has_a_meaning_beside_others_comes_back():
    kept = {name: CHUNKS[name] for name in ("cICP", "gAMA", "cHRM", "mDCV", "cLLI")}
    assert colour_of(through(declaring(**kept))[0]) == kept


def test_what_others_override_is_dropped():
    assert colour_of(through(declaring(**CHUNKS))[0]) == {
        name: CHUNKS[name] for name in ("cICP", "sRGB", "mDCV", "cLLI")
    }
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with_icc = declaring(saved(RGB, icc_profile=icc), gAMA=CHUNKS["gAMA"], cHRM=ADOBE)
    out = through(with_icc)[0]
    assert colour_of(out) == {}
    assert Image.open(io.BytesIO(out)).info["icc_profile"] == icc


def test_names_of_the_drafts_are_read():
    data = with_chunks(
        saved(RGB), (b"mDCv", CHUNKS["mDCV"]), (b"cLLi", CHUNKS["cLLI"]), (b"cICP", PQ)
    )
    assert colour_of(through(data)[0]) == {n: CHUNKS[n] for n in ("cICP", "mDCV", "cLLI")}


def test_chunks_that_are_damaged_or_mean_nothing_are_left_out():
    for name, content in (("gAMA", bytes(4)), ("cHRM", bytes(32)), ("cICP", b"\1")):
        assert read(declaring(**{name: content})).metadata == Metadata()


def test_the_pixels_do_not_depend_on_it():
    rng = np.random.default_rng(5)
    deep = np.clip(np.kron(rng.normal(30000, 9000, (5, 7, 3)), np.ones((8, 8, 1))), 0, 65535)
    plain = raw_png(deep.astype(np.uint16), 2)
    a, b = (from_bytes(invoke("compress", data=d).out) for d in (plain, declaring(plain, cICP=PQ)))
    assert bytes(a.data) == bytes(b.data)
    assert [chunk.kind for chunk in b.extra] == [b"c"]


@pytest.mark.parametrize("stored", ["all", "icc", "none"])
@pytest.mark.parametrize("written", ["all", "icc", "none"])
def test_the_option_rules_it_as_it_rules_a_profile(stored, written):
    out, _ = through(declaring(cICP=PQ), "--metadata", written, compress=("--metadata", stored))
    assert ("cICP" in colour_of(out)) == ("none" not in (stored, written))


def test_info_and_pillow_know_it(tmp_path):
    import nic.pillow

    path = tmp_path / "a.nic"
    path.write_bytes(invoke("compress", data=declaring(cICP=PQ)).out)
    assert nic.info(path)[0]["metadata"] == {"colour": 6}
    image = Image.open(path)
    image.save(tmp_path / "b.nic")
    assert declared.parse(from_bytes((tmp_path / "b.nic").read_bytes()).extra[0].payload) == {
        "cICP": PQ
    }


def test_pillow_says_what_it_knows_of_a_png(tmp_path):
    image = Image.open(io.BytesIO(declaring(gAMA=CHUNKS["gAMA"], cHRM=ADOBE)))
    found = nic.decompress(nic.compress(image), full=True).metadata
    assert declared.parse(found.colour) == {"gAMA": CHUNKS["gAMA"], "cHRM": ADOBE}


# -- profiles ---------------------------------------------------------------------------------

D65 = (0.3127, 0.329)
SRGB_SPACE = [(0.64, 0.33), (0.3, 0.6), (0.15, 0.06), D65]
P3_SPACE = [(0.68, 0.32), (0.265, 0.69), (0.15, 0.06), D65]
ADOBE_SPACE = [(0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65]
REC_2020_SPACE = [(0.708, 0.292), (0.17, 0.797), (0.131, 0.046), D65]


def srgb_curve(v):
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def rec_709_curve(v):
    return np.where(v < 0.081, v / 4.5, ((v + 0.099) / 1.099) ** (1 / 0.45))


PROFILES = {
    "linear": ({"gAMA": GAMMA(100_000)}, SRGB_SPACE, lambda v: v),
    "gamma 2.2 and Adobe's primaries": (
        {"gAMA": GAMMA(45455), "cHRM": ADOBE}, ADOBE_SPACE, lambda v: v ** (1 / 0.45455)),
    "primaries": ({"cHRM": ADOBE}, ADOBE_SPACE, srgb_curve),
    "sRGB": ({"sRGB": b"\0"}, SRGB_SPACE, srgb_curve),
    "Display P3": ({"cICP": DISPLAY_P3}, P3_SPACE, srgb_curve),
    "Rec. 2020": ({"cICP": REC_2020}, REC_2020_SPACE, rec_709_curve),
    "cICP before gAMA": ({"cICP": DISPLAY_P3, "gAMA": GAMMA(100_000)}, P3_SPACE, srgb_curve),
}  # fmt: skip


@pytest.mark.parametrize("name", PROFILES)
def test_little_cms_reads_the_profile_as_the_same_colour(name):
    parts, space, curve = PROFILES[name]
    rgb = np.random.default_rng(1).integers(0, 256, (1, 400, 3), np.uint8)
    rgb[0, :3] = [(255, 255, 255), (0, 0, 0), (255, 0, 0)]
    made = ImageCms.ImageCmsProfile(io.BytesIO(profile.profile(parts, grey=False)))
    assert made.profile.version > 4
    transform = ImageCms.buildTransform(made, ImageCms.createProfile("LAB"), "RGB", "LAB",
                                        ImageCms.Intent.RELATIVE_COLORIMETRIC)  # fmt: skip
    lab = np.array(ImageCms.applyTransform(Image.fromarray(rgb), transform))[0].astype(float)
    found = np.stack([lab[:, 0] / 2.55, *(lab[:, i].astype(np.uint8).astype(np.int8)
                                          for i in (1, 2))], axis=1)  # fmt: skip
    wanted = lab_of(rgb[0] / 255, space, curve)
    inside = (np.abs(wanted[:, 1:]) < 126).all(axis=1)
    assert inside.sum() > 300
    assert np.abs(found - wanted)[inside].max() < 1.6  # bytes of Lab, near black


def test_a_grey_picture_gets_a_grey_profile():
    made = ImageCms.ImageCmsProfile(io.BytesIO(profile.profile({"gAMA": GAMMA(100_000)}, True)))
    assert made.profile.xcolor_space.strip() == "GRAY"
    grey = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    lab = ImageCms.buildTransform(made, ImageCms.createProfile("LAB"), "L", "LAB")
    lightness = np.array(ImageCms.applyTransform(grey, lab))[0, :, 0] / 2.55
    t = np.arange(256) / 255
    wanted = 116 * np.where(t > 216 / 24389, np.cbrt(t), t * 841 / 108 + 4 / 29) - 16
    assert np.abs(lightness - wanted)[24:].max() < 1  # the steep start is coarse in bytes


@pytest.mark.parametrize(
    "parts",
    [{"cICP": PQ}, {"cICP": HLG}, {"cICP": b"\xf0\1\0\1"}, {"cICP": b"\1\xf0\0\1"},
     {"cHRM": CHRM(*[30000] * 8)}],
)  # fmt: skip
def test_what_a_matrix_and_a_curve_cannot_express_gives_no_profile(parts):
    assert profile.profile(parts, grey=False) == b""


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=4, max_size=4), st.booleans())
def test_any_numbers_give_a_profile_or_none(primaries, gamma, grey):
    parts = {"cHRM": primaries} | ({"gAMA": gamma} if any(gamma) else {})
    made = profile.profile(parts, grey)
    assert made == b"" or len(made) == int.from_bytes(made[:4], "big")


# -- other formats ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["jpeg", "tiff", "webp"])
@pytest.mark.parametrize("pixels", [RGB, GREY], ids=["colour", "grey"])
def test_formats_with_profiles_get_one(name, pixels):
    out, said = through(declaring(saved(pixels), cICP=DISPLAY_P3), "--format", name)
    icc = Image.open(io.BytesIO(out)).info["icc_profile"]
    grey = pixels.ndim == 2 and name != "webp"  # which has only colour
    assert icc == profile.profile({"cICP": DISPLAY_P3}, grey)
    assert icc[16:20] == (b"GRAY" if grey else b"RGB ")
    assert said == ""


@pytest.mark.parametrize("name", ["jpeg", "tiff", "webp", "bmp", "ppm", "pam", "npy"])
def test_one_note_names_what_is_lost_and_where(name):
    data = declaring(cICP=PQ, mDCV=CHUNKS["mDCV"], cLLI=CHUNKS["cLLI"])
    _, said = through(data, "--format", name)
    assert said.count("\n") == 1
    assert f"the colour cICP (BT.2020, PQ), mDCV, cLLI cannot be held by {name}" in said


@pytest.mark.parametrize("name", ["bmp", "ppm", "pam", "npy"])
def test_formats_without_any_place_get_a_note_unless_it_is_srgb(name):
    for lost in ({"gAMA": GAMMA(100_000)}, {"cICP": DISPLAY_P3}, {"cHRM": ADOBE}):
        assert "cannot be held" in through(declaring(**lost), "--format", name)[1]
    for srgb in ({"sRGB": b"\0"}, {"cICP": b"\1\x0d\0\1"}, {"gAMA": GAMMA(45455)}):
        assert through(declaring(**srgb), "--format", name)[1] == ""


def test_a_profile_beside_it_is_kept_for_formats_without_numbers(caplog):
    found = fitting(Metadata(icc=b"profile", colour=declared.build({"cICP": DISPLAY_P3})), "jpeg",
                    False)  # fmt: skip
    assert found == Metadata(icc=b"profile")
    assert not caplog.records


def test_a_profile_of_grey_is_not_written_to_webp_which_has_only_colour(caplog):
    grey = profile.profile({"gAMA": GAMMA(100_000)}, True)
    data = write(Picture(GREY, None, Metadata(icc=grey)), "webp")
    assert "icc_profile" not in Image.open(io.BytesIO(data)).info
    assert "cannot be held by webp" in caplog.text


def test_strips_of_a_ppm_are_noted_once():
    source = Picture(np.tile(RGB, (3, 1, 1)), None, Metadata(colour=declared.build({"cICP": PQ})))
    records = Codec(strip_pixels=1).encode_rows(of_picture(source))
    said = invoke("decode", "--format", "ppm", data=b"".join(map(to_bytes, records))).err
    assert said.count("cannot be held by ppm") == 1


def test_exif_that_is_too_large_for_jpeg_is_a_note(caplog):
    with caplog.at_level(logging.WARNING, "nic"):
        write(Picture(RGB, None, Metadata(exif=b"II*\0\x08\0\0\0\0\0" + bytes(70_000))), "jpeg")
    assert "EXIF of 70010 bytes cannot be held by jpeg" in caplog.text


def test_jpeg_has_colour_in_full_resolution():
    image = Image.open(io.BytesIO(write(RGB, "jpeg")))
    assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


# -- the chunk --------------------------------------------------------------------------------


@given(st.dictionaries(st.sampled_from(sorted(CHUNKS)), st.none()))
def test_parts_are_the_chunk(names):
    parts = {name: CHUNKS[name] for name in names}
    assert declared.parse(declared.build(parts)) == parts


def test_parts_of_unknown_kinds_are_passed_over():
    payload = b"\xf0\3abc" + declared.build({"sRGB": b"\1"})
    assert declared.parse(payload) == {"sRGB": b"\1"}


@given(st.binary(max_size=90))
def test_any_payload_is_read_or_refused(payload):
    try:
        declared.parse(payload)
    except CorruptError:
        return


# -- CMYK -------------------------------------------------------------------------------------


def srgb_of(lab):
    """8-bit sRGB of a colour in CIELAB under D50, which must be inside."""
    f = (lab[0] + 16) / 116
    t = np.array([f + lab[1] / 500, f, f - lab[2] / 200])
    xyz = np.where(t > 6 / 29, t**3, 3 * (6 / 29) ** 2 * (t - 4 / 29)) * [0.9642, 1, 0.8249]
    to_linear = np.array([[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540],
                          [0.0719453, -0.2289914, 1.4052427]]) @ xyz  # fmt: skip
    v = np.clip(to_linear, 0, 1)
    return np.rint(255 * np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055))


@pytest.mark.parametrize("name", ["TIFF", "JPEG"])
def test_cmyk_is_converted_through_its_profile(caplog, name):
    """Paper, magenta, cyan over yellow, and three inks: as the profile says, not naively."""
    for inks in ((0, 0, 0, 0), (0, 1, 0, 0), (1, 0, 1, 0), (1, 1, 1, 0)):
        image = Image.new("CMYK", (16, 16), tuple(255 * ink for ink in inks))
        exact = {"quality": 100} if name == "JPEG" else {}
        data = saved(image, name, icc_profile=cmyk_profile(), **exact)
        with caplog.at_level(logging.WARNING, "nic"):
            found = read(data)
        assert np.abs(found.pixels.mean(axis=(0, 1)) - srgb_of(INKS[inks])).max() <= 14, inks
        assert found.metadata.icc == b""
    assert {r.message for r in caplog.records} == {
        "note: CMYK is converted to RGB through its profile"
    }


def test_a_broken_profile_of_cmyk_is_noted(caplog):
    image = Image.new("CMYK", (16, 16), (0, 255, 0, 0))
    with caplog.at_level(logging.WARNING, "nic"):
        found = read(saved(image, "TIFF", icc_profile=b"no profile"))
    assert (found.pixels[0, 0] == (255, 0, 255)).all()
    assert "cannot be used" in caplog.text
    assert "without a profile" in caplog.text
