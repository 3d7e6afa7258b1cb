"""The library's functions: the same bytes and pixels as the programs."""

import io
import json
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from pictures import raw_png, saved
from PIL import Image, ImageCms
from programs import invoke
from records import to_bytes

import nic
from nic.errors import CorruptError, ModelError, UsageError
from nic.picture.pixels import Picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def turned_exif():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    exif[0x010E] = "a cat"
    return exif


@pytest.fixture(scope="module")
def files(photographs):
    """Picture files of every kind, by name."""
    rgb = np.ascontiguousarray(photographs["chelsea"][60:157, 80:201])
    soft = np.linspace(0, 255, rgb[..., 0].size).reshape(rgb.shape[:2]).astype(np.uint8)
    return {
        "rgb.png": saved(rgb),
        "grey.png": saved(rgb[..., 1]),
        "rgba.png": saved(np.dstack([rgb, soft])),
        "grey_alpha.png": saved(Image.fromarray(np.dstack([rgb[..., 0], soft]), "LA")),
        "sixteen.png": raw_png(rgb.astype(np.uint16) * 257, 2),
        "turned.jpg": saved(Image.fromarray(rgb), "JPEG", exif=turned_exif(), icc_profile=SRGB),
        "plain.ppm": saved(rgb, "PPM"),
    }


KINDS = ("rgb.png", "grey.png", "rgba.png", "grey_alpha.png", "sixteen.png", "turned.jpg",
         "plain.ppm")  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_and_pixels_are_those_of_the_programs(files, kind, tmp_path):
    path = tmp_path / kind
    path.write_bytes(files[kind])
    expected = invoke("compress", "-q", 40, data=files[kind]).out
    assert nic.compress(path, quality=40) == expected
    assert nic.compress(files[kind], quality=40) == expected
    pixels = np.load(io.BytesIO(invoke("decode", "--format", "npy", data=expected).out))
    np.testing.assert_array_equal(nic.decompress(expected).reshape(pixels.shape), pixels)
    (tmp_path / "a.nic").write_bytes(expected)
    np.testing.assert_array_equal(nic.decompress(tmp_path / "a.nic"), nic.decompress(expected))


@pytest.mark.parametrize("kind", ["rgb.png", "grey.png", "rgba.png", "turned.jpg", "plain.ppm"])
def test_an_image_of_pillow_is_coded_as_its_file(files, kind):
    image = Image.open(io.BytesIO(files[kind]))
    assert nic.compress(image, quality=40) == nic.compress(files[kind], quality=40)


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (20, 30, 2), (20, 30, 4), (1, 1, 3)])
def test_arrays_come_back_with_their_shape(shape):
    array = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
    assert nic.decompress(nic.compress(array)).shape == shape


def test_options_are_those_of_the_programs(files):
    data = files["rgba.png"]
    some = nic.compress(data, target_size=3000, channels=32, alpha_quality=50)
    options = ("--target-size", 3000, "--channels", 32, "--alpha-quality", 50)
    assert some == invoke("compress", *options, data=data).out
    assert len(some) <= 3000
    few = nic.decompress(some, channels=range(3))
    assert few.shape == nic.decompress(some).shape
    assert (few != nic.decompress(some)).any()
    tuned = nic.compress(files["rgb.png"], tune="ms-ssim")
    assert nic.info(tuned)[0]["model"].startswith("light-ms-ssim")


def test_metadata_and_alpha_by_keyword(files):
    turned = nic.decompress(nic.compress(files["turned.jpg"]), full=True)
    assert isinstance(turned, Picture)
    assert turned.metadata.icc == SRGB
    assert b"a cat" in turned.metadata.exif
    assert turned.pixels.shape == (121, 97, 3)
    bare = nic.compress(files["turned.jpg"], metadata="none")
    assert not nic.decompress(bare, full=True).metadata
    glass = nic.decompress(nic.compress(files["rgba.png"]), full=True)
    original = np.array(Image.open(io.BytesIO(files["rgba.png"])))
    np.testing.assert_array_equal(glass.alpha, original[..., 3])


def test_info_and_latents(files):
    data = nic.compress(files["rgb.png"], quality=30)
    (facts,) = nic.info(data)
    shown = json.loads(invoke("info", "--json", data=data).out.decode().splitlines()[0])
    assert {k: v for k, v in shown.items() if k in facts} == facts
    assert (facts["width"], facts["height"], facts["quality"]) == (121, 97, 30)
    exact = nic.latents(files["rgb.png"])
    assert (exact.shape, exact.dtype) == ((13, 16, facts["latent_shape"][2]), np.float32)
    coarse = nic.latents(data)
    assert coarse.shape == exact.shape
    error = np.sqrt(np.mean((coarse - exact) ** 2))
    assert 0 < error < np.sqrt(np.mean(exact**2)) / 2


def test_bad_arguments_are_errors_of_the_project(files, stages):
    data = nic.compress(files["rgb.png"])
    for wrong in (
        np.zeros((2, 2), np.int16),
        np.zeros((2, 2, 5), np.uint8),
        np.zeros(3, np.uint8),
    ):
        with pytest.raises(UsageError, match="not a picture"):
            nic.compress(wrong)
    for options in (
        {"quality": 0}, {"quality": 101}, {"quality": 50, "target_bpp": 1}, {"channels": 999},
        {"target_psnr": float("nan")}, {"target_size": 1, "target_bpp": 1}, {"strict": True},
        {"target_ssimulacra2": 101}, {"target_ssimulacra2": 50, "quality": 50},
    ):  # fmt: skip
        with pytest.raises(UsageError):
            nic.compress(files["rgb.png"], **options)
    with pytest.raises(ModelError):
        nic.compress(files["rgb.png"], model="heavy")
    with pytest.raises(CorruptError):
        nic.compress(b"no picture")
    for broken in (b"", data[:-9], data[:200] + b"x" + data[201:], b"no stream"):
        with pytest.raises(CorruptError):
            nic.decompress(broken)
    with pytest.raises(UsageError, match="more than one"):
        nic.decompress(data + data)
    with pytest.raises(FileNotFoundError):
        nic.decompress("/nowhere.nic")


def test_what_is_intact_of_a_damaged_file(files, caplog):
    data = bytearray(nic.compress(files["rgb.png"]))
    data[-30] ^= 1
    with pytest.raises(CorruptError):
        nic.decompress(bytes(data))
    found = nic.decompress(bytes(data), tolerate=True)
    assert found.shape == (97, 121, 3)
    assert "damaged" in caplog.text


@pytest.mark.parametrize("kind", ["rgb.png", "grey_alpha.png", "sixteen.png"])
@pytest.mark.parametrize(
    ("how", "words"), [({}, []), ({"scale": 16}, ["--scale", "1/16"]), ({"size": 9}, ["--size", 9])]
)
def test_a_thumbnail_is_that_of_the_program(files, kind, how, words, tmp_path):
    data = nic.compress(files[kind])
    made = invoke("thumbnail", "--format", "npy", *words, data=data).out
    expected = np.load(io.BytesIO(made))
    found = nic.thumbnail(data, **how)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    path = tmp_path / "a.nic"
    path.write_bytes(data)
    np.testing.assert_array_equal(nic.thumbnail(path, **how), expected)


def test_thumbnails_that_cannot_be_made(files):
    data = nic.compress(files["rgb.png"])
    for how in ({"scale": 4}, {"size": 0}):
        with pytest.raises(UsageError, match="a scale is one of"):
            nic.thumbnail(data, **how)
    with pytest.raises(UsageError, match="more than one picture"):
        nic.thumbnail(2 * data)
    with pytest.raises(CorruptError, match="truncated"):
        nic.thumbnail(data[:-9])


def test_networks_of_a_model(files):
    pytest.importorskip("keras")
    analysis, synthesis = nic.networks()
    pixels = np.array(Image.open(io.BytesIO(files["rgb.png"])))[:96, :120]
    latents = np.asarray(analysis(pixels[None] / np.float32(255)))
    np.testing.assert_allclose(latents[0], nic.latents(pixels), atol=1e-3)
    assert synthesis(latents).shape == (1, 96, 120, 3)


PROBE = """
import sys, warnings
before = set(sys.modules)
import nic
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
assert not loaded & {"PIL", "numpy", "click", "keras", "imageio"}, loaded
import numpy, nic.models.native
from PIL import Image
filters = warnings.filters[:]  # NumPy has some of its own
limit, handlers = Image.MAX_IMAGE_PIXELS, __import__("signal").getsignal(2)
nic.decompress(nic.compress(sys.stdin.buffer.read()))
assert Image.MAX_IMAGE_PIXELS == limit
assert warnings.filters == filters
assert __import__("signal").getsignal(2) == handlers
assert "keras" not in sys.modules
"""


def test_importing_is_light_and_no_global_changes(files, tmp_path):
    command = [sys.executable, "-c", PROBE]
    done = subprocess.run(command, input=files["rgba.png"], capture_output=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()


def test_any_stage_is_decoded(stages, codec):
    from records import from_bytes

    for stage in ("latents", "symbols", "coded", "packed"):
        expected = codec.decode(from_bytes(stages[stage])).pixels
        np.testing.assert_array_equal(nic.decompress(stages[stage]), expected)
        assert nic.info(stages[stage])[0]["stage"] == stage
    assert to_bytes(from_bytes(stages["packed"])) == stages["packed"]


def test_threads_do_not_disturb_each_other(photographs):
    rng = np.random.default_rng(5)
    corners = rng.integers(0, 200, (24, 2))
    crops = [photographs["coffee"][y : y + 60, x : x + 90] for y, x in corners]
    expected = [nic.compress(saved(crop)) for crop in crops]
    before = os.fstat(2), warnings.filters[:]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(nic.compress, [saved(crop) for crop in crops]))
        decoded = list(pool.map(nic.decompress, found))
    assert found == expected
    for data, pixels in zip(expected, decoded, strict=True):
        np.testing.assert_array_equal(nic.decompress(data), pixels)
    assert (os.path.samestat(os.fstat(2), before[0]), warnings.filters) == (True, before[1])
