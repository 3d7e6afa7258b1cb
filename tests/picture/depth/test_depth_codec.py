"""Sixteen bits per sample through all stages, in alpha, in arrays and in Pillow.

What is written is read by readers that share no code with the writers (``plain_readers``).
"""

import io

import numpy as np
import plain_readers
import pytest
from deep_pictures import ALPHA, COLOURS, GREY, RGB, TRANSPARENCY, ramp
from hypothesis import given, settings
from PIL import Image
from planes import alpha_planes
from programs import invoke
from records import to_bytes

import nic
import nic.pillow
from nic.codec import Codec
from nic.errors import CorruptError, UsageError
from nic.format.records import Stage
from nic.picture import alpha as alphas
from nic.picture import metrics
from nic.picture.pixels import Picture, flattened, with_depth
from nic.picture.readers import of_image
from nic.picture.rows import of_picture

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
@given(alpha_planes(np.uint16))
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
