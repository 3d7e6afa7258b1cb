"""Every kind of picture from file to file, and its transparency: kept, damaged, not paid twice."""

import io
import logging
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pictures import raw_png, saved
from PIL import Image
from planes import alpha_planes
from programs import assert_fails, invoke
from records import from_bytes, reread, to_bytes

from nic.codec import Codec
from nic.errors import CorruptError, UsageError, VersionError
from nic.format.channels import select, truncate
from nic.format.records import Chunk, Stage, size
from nic.picture import alpha as alphas
from nic.picture.metrics import psnr
from nic.picture.pixels import Picture
from nic.picture.readers import read
from nic.picture.rows import of_picture
from nic.picture.writers import write

H, W = 20, 28
Y, X = np.mgrid[:H, :W]
RGB = np.stack([9 * Y, 5 * X + Y, 255 - 3 * X], axis=-1).astype(np.uint8)
GREY = RGB[..., 1]
BINARY = np.where((Y - 9) ** 2 + (X - 12) ** 2 < 60, 255, 0).astype(np.uint8)
SOFT = np.clip(17 * X - 90, 0, 255).astype(np.uint8)
OPAQUE = np.full((H, W), 255, np.uint8)


def stacked(*planes):
    return np.dstack(planes)


def pam(kind, samples, most=255):
    h, w, depth = samples.shape
    head = f"P7\n# made here\nWIDTH {w}\nHEIGHT {h}\nDEPTH {depth}\nMAXVAL {most}\n"
    values = samples.astype(">u2" if most > 255 else "u1")
    return f"{head}TUPLTYPE {kind}\nENDHDR\n".encode() + values.tobytes()


def deep(plane):
    return plane.astype(np.uint16) * 257


def as_read(name):
    """The pixels and the alpha of an input, with 16 bits if its file has them."""
    _, pixels, alpha, _ = INPUTS[name]
    return [p if p is None or " 16" not in name else deep(p) for p in (pixels, alpha)]


def palette(name, transparent):
    """A file of 16 colours, its pixels, and its alpha, None unless one colour is transparent."""
    image = Image.fromarray(RGB).quantize(16)
    used = int(np.array(image)[0, 0])
    alpha = np.where(np.array(image) == used, 0, 255).astype(np.uint8) if transparent else None
    options = {"transparency": used} if transparent else {}
    return saved(image, name, **options), np.array(image.convert("RGB")), alpha


CMYK = Image.fromarray(RGB).convert("CMYK")
ONE_BIT = Image.fromarray(BINARY).convert("1")
# name -> file, pixels, alpha, the note about it
INPUTS = {
    "png 1": (saved(ONE_BIT), BINARY, None, None),
    "png grey": (saved(GREY), GREY, None, None),
    "png grey, one value transparent": (
        saved(GREY, transparency=int(GREY[3, 3])), GREY,
        np.where(GREY[3, 3] == GREY, 0, 255), None),
    "png grey alpha": (saved(stacked(GREY, SOFT)), GREY, SOFT, None),
    "png rgb": (saved(RGB), RGB, None, None),
    "png rgb, one colour transparent": (
        saved(RGB, transparency=tuple(RGB[3, 3].tolist())), RGB,
        np.where((RGB[3, 3] == RGB).all(axis=2), 0, 255), None),
    "png rgba": (saved(stacked(RGB, BINARY)), RGB, BINARY, None),
    "png rgba, opaque": (saved(stacked(RGB, OPAQUE)), RGB, None, None),
    "png palette": (*palette("PNG", False), None),
    "png palette, transparent": (*palette("PNG", True), None),
    "png 16 grey": (saved(Image.fromarray(deep(GREY))), GREY, None, None),
    "png 16 grey, one value transparent": (
        raw_png(deep(GREY)[..., None], 0, deep(GREY)[3, 3]), GREY,
        np.where(GREY[3, 3] == GREY, 0, 255), None),
    "png 16 grey alpha": (raw_png(deep(stacked(GREY, SOFT)), 4), GREY, SOFT, None),
    "png 16 rgb": (raw_png(deep(RGB), 2), RGB, None, None),
    "png 16 rgb, one colour transparent": (
        raw_png(deep(RGB), 2, *deep(RGB)[3, 3]), RGB,
        np.where((RGB[3, 3] == RGB).all(axis=2), 0, 255), None),
    "png 16 rgba": (raw_png(deep(stacked(RGB, SOFT)), 6), RGB, SOFT, None),
    "tiff 1": (saved(ONE_BIT, "TIFF"), BINARY, None, None),
    "tiff grey": (saved(GREY, "TIFF"), GREY, None, None),
    "tiff 16 grey": (saved(Image.fromarray(deep(GREY)), "TIFF"), GREY, None, None),
    "tiff grey alpha": (saved(stacked(GREY, SOFT), "TIFF"), GREY, SOFT, None),
    "tiff rgb": (saved(RGB, "TIFF"), RGB, None, None),
    "tiff rgba": (saved(stacked(RGB, SOFT), "TIFF"), RGB, SOFT, None),
    "tiff palette": (*palette("TIFF", False), None),
    "tiff cmyk": (saved(CMYK, "TIFF"), np.array(CMYK.convert("RGB")), None, "CMYK"),
    "jpeg cmyk": (
        jpeg := saved(CMYK, "JPEG"), np.array(Image.open(io.BytesIO(jpeg)).convert("RGB")),
        None, "CMYK"),
    "webp rgb": (saved(RGB, "WEBP", lossless=True), RGB, None, None),
    "webp rgba": (saved(stacked(RGB, SOFT), "WEBP", lossless=True), RGB, SOFT, None),
    "bmp 1": (saved(ONE_BIT, "BMP"), BINARY, None, None),
    "bmp grey": (saved(GREY, "BMP"), GREY, None, None),
    "bmp rgb": (saved(RGB, "BMP"), RGB, None, None),
    "gif": (*palette("GIF", False), None),
    "gif, transparent": (*palette("GIF", True), None),
    "pbm": (saved(ONE_BIT, "PPM"), BINARY, None, None),
    "pgm": (saved(GREY, "PPM"), GREY, None, None),
    "pgm 16": (b"P5 28 20 65535\n" + deep(GREY).astype(">u2").tobytes(), GREY, None, None),
    "ppm": (saved(RGB, "PPM"), RGB, None, None),
    "ppm 16": (b"P6 28 20 65535\n" + deep(RGB).astype(">u2").tobytes(), RGB, None, None),
    "pam 1": (pam("BLACKANDWHITE", BINARY[..., None] // 255, 1), BINARY, None, None),
    "pam grey": (pam("GRAYSCALE", GREY[..., None]), GREY, None, None),
    "pam grey alpha": (pam("GRAYSCALE_ALPHA", stacked(GREY, SOFT)), GREY, SOFT, None),
    "pam rgb": (pam("RGB", RGB), RGB, None, None),
    "pam rgba": (pam("RGB_ALPHA", stacked(RGB, SOFT)), RGB, SOFT, None),
    "pam 16 rgba": (pam("RGB_ALPHA", deep(stacked(RGB, SOFT)), 65535), RGB, SOFT, None),
}  # fmt: skip


@pytest.mark.parametrize("name", INPUTS)
def test_every_kind_of_picture_is_read_as_what_it_is(caplog, name):
    data, _, _, note = INPUTS[name]
    pixels, alpha = as_read(name)
    with caplog.at_level(logging.WARNING, "nic"):
        found = read(data)
    seen = np.ones((H, W), bool) if alpha is None else alpha > 0  # WebP keeps no others
    assert found.pixels.dtype == (np.uint16 if " 16" in name else np.uint8)
    assert found.pixels.shape == pixels.shape
    assert np.array_equal(found.pixels[seen], pixels[seen])
    assert (found.alpha is None) == (alpha is None)
    assert alpha is None or np.array_equal(found.alpha, alpha)
    assert len(caplog.records) == (note is not None)
    assert note is None or note in caplog.text


@pytest.mark.parametrize("name", INPUTS)
def test_every_kind_of_picture_comes_back_from_a_file(codec, name):
    """Grey as grey, alpha exactly, and pixels as those of the same picture without alpha."""
    data, pixels, alpha, _ = INPUTS[name]
    result = invoke("compress", "--quiet", "-q", 90, data=data)
    assert (result.code, result.err) == (0, "")
    image = Image.open(io.BytesIO(invoke("decompress", "--depth", 8, data=result.out).out))
    expected = "L" if pixels.ndim == 2 else "RGB"
    assert image.mode == expected + ("A" if alpha is not None else "")
    if alpha is None:
        plain = codec.forward(codec.encode(as_read(name)[0], 90), Stage.PACKED)
        assert result.out == to_bytes(plain)
        return
    assert np.array_equal(np.array(image.getchannel("A")), alpha)
    seen = alpha > 0
    decoded = np.array(image.convert(expected))
    assert psnr(decoded[seen][None], pixels[seen][None]) > 22


@pytest.mark.parametrize("name", ["png", "tiff", "webp", "pam", "npy"])
@pytest.mark.parametrize("pixels", [RGB, GREY], ids=["colour", "grey"])
def test_alpha_is_written_where_a_format_can_hold_it(name, pixels):
    data = write(Picture(pixels, SOFT), name)
    if name == "npy":
        assert np.array_equal(np.load(io.BytesIO(data)), stacked(pixels, SOFT))
    elif name == "pam":
        assert data == pam("GRAYSCALE_ALPHA" if pixels.ndim == 2 else "RGB_ALPHA",
                           stacked(pixels, SOFT)).replace(b"# made here\n", b"")  # fmt: skip
    else:
        image = Image.open(io.BytesIO(data))
        assert np.array_equal(np.array(image.getchannel("A")), SOFT)
        found = np.array(image.convert("RGB"))
        seen = SOFT > 0
        assert np.array_equal(found[seen], np.broadcast_to(pixels.T, (3, W, H)).T[seen])


@pytest.mark.parametrize("name", ["jpeg", "bmp", "ppm"])
def test_other_formats_get_the_picture_over_white_with_a_note(caplog, name):
    with caplog.at_level(logging.WARNING, "nic"):
        data = write(Picture(RGB, SOFT), name)
    white = Image.new("RGBA", (W, H), "white")
    over = Image.alpha_composite(white, Image.fromarray(stacked(RGB, SOFT))).convert("RGB")
    found = np.array(Image.open(io.BytesIO(data)))
    assert np.abs(found.astype(int) - np.array(over)).max() <= (30 if name == "jpeg" else 1)
    assert [record.message for record in caplog.records] == [
        f"note: {name} cannot hold transparency, which is flattened over white"
    ]


def test_a_colour_picture_is_no_pgm(png, tmp_path):
    packed = invoke("compress", png, "-o", "-").out
    result = invoke("decompress", "-", "-o", tmp_path / "a.pgm", data=packed)
    assert_fails(result, 2, "stdin: a PGM holds only grey pictures")
    assert list(tmp_path.glob("*.pgm")) == []


def test_a_grey_pgm_is_p5():
    assert write(GREY, "pgm") == b"P5\n28 20\n255\n" + GREY.tobytes()


# -- what is under it -------------------------------------------------------------------------


@pytest.mark.parametrize("pixels", [RGB, GREY], ids=["colour", "grey"])
def test_hidden_pixels_cost_the_same_whatever_they_are(codec, pixels):
    rng = np.random.default_rng(1)
    hidden = BINARY == 0
    files = []
    for garbage in (rng.integers(0, 256, pixels.shape, np.uint8), np.zeros_like(pixels)):
        source = pixels.copy()
        source[hidden] = garbage[hidden]
        whole = codec.encode(Picture(source, BINARY))
        (in_rows,) = codec.encode_rows(of_picture(Picture(source, BINARY)))
        files += [to_bytes(codec.forward(r, Stage.PACKED)) for r in (whole, in_rows)]
    assert len(set(files)) == 1


def test_hidden_noise_costs_less_than_a_tenth_of_noise(codec):
    noise = np.random.default_rng(2).integers(0, 256, (256, 256, 3), np.uint8)
    alpha = np.zeros((256, 256), np.uint8)
    alpha[:16, :16] = 255
    shown, hidden = (
        size(codec.forward(codec.encode(Picture(noise, a)), Stage.PACKED)) for a in (None, alpha)
    )
    assert hidden < shown / 10


def test_visible_pixels_are_left_and_hidden_ones_lie_between_them():
    filled = alphas.fill_hidden(RGB, BINARY)
    seen = BINARY > 0
    assert np.array_equal(filled[seen], RGB[seen])
    for c in range(3):
        assert filled[..., c].min() == RGB[seen][:, c].min()
        assert filled[..., c].max() == RGB[seen][:, c].max()
    steps = [np.abs(np.diff(filled.astype(int), axis=axis)).max() for axis in (0, 1)]
    assert max(steps) <= 24


@settings(deadline=None, max_examples=60)
@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 13), st.integers(1, 13))),
    st.integers(0, 99),
)
def test_filling_works_for_any_mask(alpha, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (*alpha.shape, 3), np.uint8)
    filled = alphas.fill_hidden(pixels, alpha)
    assert filled.shape == pixels.shape
    assert np.array_equal(filled[alpha > 0], pixels[alpha > 0])


# -- chunk A ----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(alpha_planes(np.uint8))
def test_any_alpha_is_kept_exactly(alpha):
    assert np.array_equal(alphas.parse(alphas.lossless(alpha), *alpha.shape[::-1]), alpha)


def test_a_mask_takes_a_bit_per_pixel_at_most():
    noise = np.random.default_rng(1).integers(0, 2, (64, 64), np.uint8) * np.uint8(255)
    assert len(alphas.lossless(noise)) < 64 * 64 / 8 + 200


def test_alpha_passes_all_stages_and_tools(codec):
    record = codec.encode(Picture(RGB, SOFT))
    stages = [reread(codec.forward(record, stage)) for stage in list(Stage)[1:]]
    for made in (reread(record), *stages):
        kept = [made, select(made, (0, 2)), truncate(made, 3), codec.to_latents(made)]
        assert {r.alpha for r in kept} == {record.alpha}
        assert all(np.array_equal(codec.decode(r).alpha, SOFT) for r in kept)


def test_opaque_alpha_costs_nothing(codec):
    plain, opaque = codec.encode(RGB), codec.encode(Picture(RGB, OPAQUE))
    assert to_bytes(plain) == to_bytes(opaque)


def test_alpha_with_losses_is_smaller_and_near(codec, photographs):
    alpha = photographs["coffee"][:200, :240, 1]
    pixels = photographs["coffee"][:200, :240]
    exact = codec.forward(codec.encode(Picture(pixels, alpha)), Stage.PACKED)
    lossy = [
        codec.forward(codec.encode(Picture(pixels, alpha), alpha_quality=q), Stage.PACKED)
        for q in (90, 20)
    ]
    sizes = [len(record.alpha) for record in (exact, *lossy)]
    assert sizes == sorted(set(sizes), reverse=True)
    found = [codec.decode(reread(record)).alpha for record in lossy]
    assert psnr(alpha, found[0]) > psnr(alpha, found[1]) > 26


def test_alpha_is_kept_exactly_where_losses_save_nothing(codec):
    exact, lossy = (codec.encode(Picture(RGB, BINARY), alpha_quality=q) for q in (None, 90))
    assert exact.alpha == lossy.alpha


def test_the_option_reaches_the_file(tmp_path, photographs):
    path = tmp_path / "a.png"
    Image.fromarray(photographs["coffee"][:96, :96]).convert("RGBA").save(path)
    image = Image.open(path)
    image.putalpha(Image.fromarray(photographs["chelsea"][:96, :96, 0]))
    image.save(path)
    files = [
        invoke("compress", "-o", "-", *options, path).out
        for options in ([], ["--alpha-quality", 30])
    ]
    assert invoke("pack", data=invoke("encode", path).out).out == files[0]
    assert invoke("pack", data=invoke("encode", "--alpha-quality", 30, path).out).out == files[1]
    assert len(files[1]) < len(files[0])
    assert f"alpha           {len(from_bytes(files[1]).alpha)}\n" in (
        invoke("info", data=files[1]).out.decode()
    )


def test_a_picture_in_strips_keeps_its_alpha(codec):
    """Strips that are opaque have none; the decoded picture has all of it."""
    alpha = SOFT.copy()
    alpha[:16] = 255
    records = list(Codec(strip_pixels=1).encode_rows(of_picture(Picture(RGB, alpha))))
    assert [bool(record.alpha) for record in records] == [False, True]
    data = b"".join(to_bytes(codec.forward(record, Stage.PACKED)) for record in records)
    image = Image.open(io.BytesIO(invoke("decode", data=data).out))
    assert np.array_equal(np.array(image.getchannel("A")), alpha)
    flat = invoke("decode", "--format", "ppm", data=data)
    assert flat.err.count("flattened over white") == 1
    whole = Image.open(io.BytesIO(flat.out))
    over = Image.alpha_composite(Image.new("RGBA", (W, H), "white"), image).convert("RGB")
    assert np.abs(np.array(whole).astype(int) - np.array(over)).max() <= 1


def png_of(image):
    return b"\0" + saved(image)


@pytest.fixture(scope="module")
def opaque(codec):
    """A packed record without alpha."""
    return codec.forward(codec.encode(RGB), Stage.PACKED)


@pytest.fixture(scope="module")
def lossy(codec):
    """Chunk A of a packed record."""
    return alphas.from_record(codec.forward(codec.encode(SOFT, 50), Stage.PACKED))


LONG = bytearray(png_of(Image.fromarray(SOFT)))
LONG[17:25] = struct.pack(">II", 1 << 31, 1 << 31)
DAMAGED = {
    "cut": (alphas.lossless(SOFT)[:60], 3, "alpha plane is damaged"),
    "method alone": (b"\0", 3, "not a PNG"),
    "text": (b"\0no picture", 3, "not a PNG"),
    "another size": (png_of(Image.fromarray(SOFT.T.copy())), 3, "20x28 pixels, not 28x20"),
    "a huge size": (bytes(LONG), 3, "2147483648x2147483648 pixels, not 28x20"),
    "of colour": (png_of(Image.fromarray(RGB)), 3, "of mode RGB"),
    "method unknown": (b"\7", 5, "unknown coding 7 of the alpha plane"),
    "record missing": (b"\1", 3, "truncated"),
}


@pytest.mark.parametrize("tool", ["test", "decode", "decompress"])
@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_alpha_is_refused(opaque, tool, name):
    payload, code, message = DAMAGED[name]
    result = invoke(tool, data=to_bytes(replace(opaque, alpha=payload)))
    assert_fails(result, code, "stdin: ", message)
    assert result.out == b""


def test_damaged_alpha_with_losses_is_refused(codec, opaque, lossy):
    def code_of(payload):
        return invoke("test", data=to_bytes(replace(opaque, alpha=payload))).code

    assert np.array_equal(lossy[:1], b"\1")
    assert code_of(lossy) == 0
    assert code_of(lossy + b"E") == 3
    assert code_of(lossy[:-3]) == 3
    strange = [
        codec.encode(SOFT),  # latents
        codec.forward(codec.encode(RGB), Stage.PACKED),
        codec.forward(codec.encode(SOFT.T.copy()), Stage.PACKED),
        replace(codec.forward(codec.encode(SOFT), Stage.PACKED), alpha=alphas.lossless(SOFT)),
    ]
    for record in strange:
        payload = alphas.from_record(record)
        assert code_of(payload) == 3
        with pytest.raises(CorruptError, match="alpha plane is damaged"):
            codec.decode(replace(opaque, alpha=payload))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=3),
       st.booleans())  # fmt: skip
def test_any_damage_to_chunk_a_is_an_error_of_ours(lossy, damage, with_losses):
    payload = bytearray(lossy if with_losses else alphas.lossless(SOFT))
    for at, value in damage:
        payload[at % len(payload)] = value
    try:
        found = alphas.parse(bytes(payload), W, H)
    except (CorruptError, VersionError):
        return
    assert not isinstance(found, np.ndarray) or found.shape == (H, W)


def test_a_second_chunk_a_and_an_empty_one_are_refused(opaque):
    data = to_bytes(replace(opaque, alpha=alphas.lossless(SOFT)))
    payload = alphas.lossless(SOFT)
    assert invoke("test", data=data).code == 0
    twice = replace(opaque, alpha=payload, extra=(Chunk(b"A", payload),))
    assert_fails(invoke("test", data=to_bytes(twice)), 5, "unexpected critical chunk 'A'")
    empty = to_bytes(replace(opaque, extra=(Chunk(b"A", b""),)))
    assert_fails(invoke("test", data=empty), 3, "chunk A, the alpha plane, is empty")


def test_pam_faults_are_named():
    whole = pam("RGB_ALPHA", stacked(RGB, SOFT))
    with pytest.raises(UsageError, match="type 'CMYK' with 4 channels"):
        read(whole.replace(b"RGB_ALPHA", b"CMYK"))
    faults = {
        whole[:-1]: "ends before its last row",
        whole.replace(b"ENDHDR", b"ENDHEA"): "header does not end",
        whole.replace(b"WIDTH 28", b"WIDTH -3"): "lacks a number",
        whole.replace(b"WIDTH 28", b"WIDTH 0"): "impossible number",
        whole.replace(b"MAXVAL 255", b"MAXVAL 254"): "samples above 254",
    }
    for data, message in faults.items():
        with pytest.raises(CorruptError, match=message):
            read(data)
