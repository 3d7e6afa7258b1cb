"""Thumbnails: the linear map, every kind of picture, and how little of a file is read."""

import io
import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from loading import SLOW, modules_of
from PIL import Image, ImageCms
from places import ROOT, TESTS
from programs import assert_fails, invoke, pipe, run
from records import to_bytes

import nic
from nic.codec import Codec
from nic.errors import CorruptError, ModelError, NicError
from nic.format.channels import latents
from nic.format.records import read_records
from nic.models import zoo
from nic.models.model import THUMBNAIL
from nic.models.training import thumbnails as fitting
from nic.picture.metrics import psnr
from nic.preview.shrink import Shrink
from nic.preview.thumbnail import block_means, thumbnails
from nic.resources import free_memory
from nic.settings import Decoding

MODELS = ("light-5", "light-ms-ssim-4", "light-visual-2")
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def small(codec, data, **how):
    """The only thumbnail of a stream."""
    (picture,) = thumbnails(codec, io.BytesIO(data), Shrink(**how))
    return picture


def boxed(pixels):
    """Means of the whole blocks of 8x8 samples (H, W[, 3]), float."""
    h, w = (side // 8 * 8 for side in pixels.shape[:2])
    blocks = pixels[:h, :w].reshape(h // 8, 8, w // 8, 8, *pixels.shape[2:])
    return blocks.mean(axis=(1, 3))


class Counted(io.FileIO):
    """A file that counts the bytes that are read."""

    count = 0

    def read(self, size=-1):
        data = super().read(size)
        self.count += len(data)
        return data


# -- the map ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("quality", [10, 50, 90])
def test_a_thumbnail_is_near_the_box_filtered_picture(codec, photographs, name, quality):
    for pixels in photographs.values():
        data = nic.compress(pixels, quality=quality, model=name)
        found, expected = small(codec, data).pixels, boxed(pixels)
        h, w = expected.shape[:2]
        assert psnr(np.rint(expected).astype(np.uint8), found[:h, :w]) > 30


def test_a_thumbnail_is_the_sum_that_is_documented(codec, model, photograph):
    """Computed here with Python's numbers, each rounded to float32, in the documented order."""
    f32 = np.float32
    weights, values = model.thumbnail, latents(codec.to_latents(photograph))
    found = small(codec, to_bytes(photograph)).pixels
    for y, x in ((0, 0), (3, 17), (20, 40), (found.shape[0] - 1, found.shape[1] - 1)):
        for c in range(3):
            total = weights[-1, c]
            for k in range(len(weights) - 1):
                total = f32(
                    float(total) + float(f32(float(values[k, y, x]) * float(weights[k, c])))
                )
            assert found[y, x, c] == round(255 * min(max(float(total), 0), 1))


def test_every_shipped_model_has_a_map_outside_of_its_identity():
    for name in MODELS:
        model = zoo.by_name(name)
        assert model.thumbnail.shape == (4, 3)
        assert THUMBNAIL not in model.definition["files"]


def test_the_map_is_fitted_by_least_squares(photographs):
    """Latents that are a linear function of the mean colours give that function's inverse."""
    rng = np.random.default_rng(3)
    matrix, shift = rng.normal(size=(3, 3)), rng.normal(size=3)
    samples = []
    for pixels in photographs.values():
        colours = fitting.block_means(pixels)
        values = np.moveaxis(colours.astype(float) @ matrix + shift, -1, 0)
        noise = rng.normal(size=(2, *values.shape[1:]))
        samples.append((np.concatenate([values, noise]).astype(np.float32), pixels))
    found = fitting.fit(samples, 4)
    assert found.dtype == np.float32
    assert found.shape == (5, 3)
    assert found[:3] == pytest.approx(np.linalg.inv(matrix), abs=1e-3)
    assert found[3] == pytest.approx(0, abs=1e-3)
    assert found[4] == pytest.approx(-shift @ np.linalg.inv(matrix), abs=1e-3)


def test_the_script_gives_an_installed_model_its_map(model, photographs, tmp_path):
    """Run for real, for a copy of the default model; the map is near the shipped one."""
    pytest.importorskip("keras")
    folder = tmp_path / "zoo/light-visual-99"
    shutil.copytree(model.folder, folder)
    (folder / THUMBNAIL).unlink()
    definition = json.dumps({**model.definition, "version": 99})
    (folder / "model.json").write_text(definition)
    (tmp_path / "data").mkdir()
    for name, pixels in photographs.items():
        Image.fromarray(pixels).save(tmp_path / f"data/{name}.png")
    words = ["--model", "light-visual-99", "--data", tmp_path / "data", "--thumbnails"]
    environment = {**os.environ, "NIC_MODEL_PATH": str(tmp_path / "zoo")}
    subprocess.run(
        [sys.executable, ROOT / "scripts/export.py", *words], env=environment, check=True, cwd=TESTS
    )
    assert (folder / "model.json").read_text() == definition
    assert zoo.from_folder(folder).thumbnail == pytest.approx(model.thumbnail, abs=0.05)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, f"has no {THUMBNAIL}; make it with scripts/export.py --thumbnails"),
        (b"text", "cannot be read"),
        (np.zeros((4, 3)), "is damaged"),
        (np.zeros((4, 4), np.float32), "is damaged"),
        (np.zeros((1, 3), np.float32), "is damaged"),
        (np.full((4, 3), np.nan, np.float32), "is damaged"),
        (np.zeros(3, np.float32), "is damaged"),
    ],
)
def test_a_model_without_a_sound_map(model, tmp_path, stages, monkeypatch, content, complaint):
    shutil.copytree(model.folder, tmp_path / model.folder.name)
    path = tmp_path / model.folder.name / THUMBNAIL
    if content is None:
        path.unlink()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    copied = zoo.from_folder(path.parent)
    assert copied.content_hash == model.content_hash
    with pytest.raises(ModelError, match=complaint):
        copied.thumbnail  # noqa: B018
    monkeypatch.setattr(zoo, "ZOO", tmp_path)
    assert_fails(invoke("thumbnail", data=stages["packed"]), 4, complaint)
    assert invoke("decode", data=stages["packed"]).code == 0


# -- every kind of picture --------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (9, 8), (45, 52), (16, 130), (300, 3)])
@pytest.mark.parametrize("scale", [8, 16, 32])
def test_sides_are_rounded_up(codec, shape, scale):
    pixels = np.full((*shape, 3), (200, 90, 40), np.uint8)
    found = small(codec, nic.compress(pixels), scale=scale).pixels
    assert found.shape == (-(-shape[0] // scale), -(-shape[1] // scale), 3)
    assert np.abs(found.astype(int) - (200, 90, 40)).max() < 30


@pytest.mark.parametrize("stage", ["latents", "symbols", "coded", "packed"])
def test_records_of_every_stage(codec, stages, stage):
    found = small(codec, stages[stage]).pixels
    if stage == "latents":  # not rounded by the quantizer
        expected = small(codec, stages["packed"]).pixels
        assert np.abs(found.astype(int) - expected).max() < 12
    else:
        assert np.array_equal(found, small(codec, stages["packed"]).pixels)


def test_grey_pictures_are_the_mean_of_the_colours(codec, photographs):
    grey = photographs["coffee"][..., 1]
    data = nic.compress(grey, quality=60)
    found = small(codec, data).pixels
    assert found.shape == (-(-grey.shape[0] // 8), -(-grey.shape[1] // 8))
    h, w = grey.shape[0] // 8, grey.shape[1] // 8
    assert psnr(np.rint(boxed(grey)).astype(np.uint8), found[:h, :w]) > 30


def test_sixteen_bits(codec, photographs):
    data = nic.compress(photographs["coffee"].astype(np.uint16) * 257, quality=60)
    deep = small(codec, data).pixels
    assert deep.dtype == np.uint16
    assert (deep % 257).any()
    (flat,) = thumbnails(codec, io.BytesIO(data), None, Decoding(depth=8))
    assert flat.pixels.dtype == np.uint8
    assert np.abs(deep / 257 - flat.pixels).max() <= 0.501


def test_block_means_of_a_plane():
    rng = np.random.default_rng(5)
    for kind, white in ((np.uint8, 255), (np.uint16, 65535)):
        plane = rng.integers(0, white + 1, (45, 17)).astype(kind)
        found = block_means(plane)
        assert found.dtype == np.float32
        assert found.shape == (6, 3)
        assert found[:5, :2] == pytest.approx(boxed(plane) / white, abs=1e-6)
        assert found[5, 2] == pytest.approx(plane[40:, 16:].mean() / white, abs=1e-6)
        assert (block_means(np.full((45, 17), white, kind)) == 1).all()


def test_transparency_is_averaged_and_hidden_colours_do_not_count(codec, photographs):
    pixels = photographs["astronaut"][:64, :64].copy()
    alpha = np.zeros((64, 64), np.uint8)
    alpha[:, :16], pixels[:, :16] = 255, (250, 30, 30)
    data = nic.compress(np.dstack([pixels, alpha]), quality=80)
    eighth, half = small(codec, data), small(codec, data, scale=32)
    assert np.array_equal(eighth.alpha, np.rint(boxed(alpha)))
    assert half.alpha.tolist() == [[128, 0], [128, 0]]
    assert np.abs(half.pixels[:, 0].astype(int) - (250, 30, 30)).max() < 20
    assert eighth.samples.shape == (8, 8, 4)


def test_lossy_transparency_needs_no_network(codec, photographs):
    pixels = photographs["coffee"][:96, :120]
    alpha = np.clip(3 * np.arange(120) - 60, 0, 255).astype(np.uint8) * np.ones((96, 1), np.uint8)
    data = nic.compress(np.dstack([pixels, alpha]), alpha_quality=60)
    found = small(codec, data).alpha
    assert np.abs(found - boxed(alpha)).max() < 16


@pytest.mark.parametrize("how", [{}, {"scale": 16}, {"scale": 32}, {"size": 20}])
def test_strips_give_the_thumbnail_of_the_whole(codec, photographs, how):
    pixels = photographs["coffee"][:299, 100:350]
    alpha = np.full((299, 250), 255, np.uint8)
    alpha[100:250, 60:90] = 9  # so that the first strip is opaque
    cut = nic.compress(np.dstack([pixels, alpha]), strip_pixels=48 * 250)
    assert len(list(read_records(io.BytesIO(cut)))) == 7
    whole = nic.compress(np.dstack([pixels, alpha]))
    assert np.array_equal(small(codec, cut, **how).samples, small(codec, whole, **how).samples)


def test_missing_strips_are_found(codec, photographs):
    cut = nic.compress(photographs["coffee"][:299, :250], strip_pixels=48 * 250)
    records = list(read_records(io.BytesIO(cut)))
    for some in (records[:3], [*records[:2], *records[3:]], records[1:]):
        with pytest.raises(CorruptError, match=r"row|truncated"):
            small(codec, to_bytes(*some))


def test_few_channels_are_enough_and_fewer_lose_colour(codec, photograph):
    whole = small(codec, to_bytes(photograph)).pixels
    for count, same in ((16, True), (3, True), (1, False)):
        cut = invoke("truncate", "-c", count, data=to_bytes(photograph)).out
        assert np.array_equal(small(codec, cut).pixels, whole) == same


def test_several_pictures(codec, stages):
    first, second = thumbnails(codec, io.BytesIO(2 * stages["packed"]))
    assert np.array_equal(first.pixels, second.pixels)


# -- metadata ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_metadata(photographs, tmp_path_factory):
    """A turned photograph with an ICC profile and EXIF of 20 kB, as a .nic file."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = np.random.default_rng(1).bytes(20000).hex()[:20000]
    folder = tmp_path_factory.mktemp("metadata")
    image = Image.fromarray(photographs["coffee"][:200, :300])
    image.save(folder / "a.jpg", exif=exif, icc_profile=ICC, quality=95)
    (folder / "a.nic").write_bytes(nic.compress(folder / "a.jpg"))
    return folder / "a.nic"


def test_the_profile_is_kept_and_pixels_are_upright(with_metadata):
    result = invoke("thumbnail", with_metadata)
    assert (result.code, result.err) == (0, "")
    image = Image.open(io.BytesIO(result.out))
    assert image.size == (25, 38)
    assert image.info["icc_profile"] == ICC
    assert not image.getexif()
    every = Image.open(io.BytesIO(invoke("thumbnail", "--metadata", "all", with_metadata).out))
    assert len(every.getexif()[0x010E]) == 20000
    assert every.getexif()[0x0112] == 1
    none = Image.open(io.BytesIO(invoke("thumbnail", "--metadata", "none", with_metadata).out))
    assert not {"icc_profile", "exif"} & set(none.info)


def test_metadata_that_is_not_wanted_is_not_read(codec, with_metadata):
    counts = {}
    for keep in ("all", "icc", "none"):
        with Counted(with_metadata) as file:
            next(thumbnails(codec, file, None, Decoding(metadata=keep)))
            counts[keep] = file.count
    assert counts["none"] + len(ICC) // 4 < counts["icc"] < counts["all"] - 5000


# -- parts of files ---------------------------------------------------------------------------


def test_only_the_first_channels_are_read(codec, photograph, nic_file):
    with Counted(nic_file) as file:
        next(thumbnails(codec, file))
        count = file.count
    needed = sum(channel.size for channel in photograph.header.index[:3])
    beside = len(photograph.class_map) + len(photograph.excess)
    assert count <= needed + beside + 300
    assert count < nic_file.stat().st_size / 4


def test_damage_behind_the_first_channels_is_found_only_in_a_pipe(photograph, nic_file):
    data = bytearray(nic_file.read_bytes())
    data[-500] ^= 1
    whole = invoke("thumbnail", nic_file).out
    nic_file.write_bytes(data)
    assert invoke("thumbnail", nic_file).out == whole
    assert_fails(run("nic", "thumbnail", data=bytes(data)), 3, "chunk D fails its checksum")


@pytest.mark.parametrize("share", [0.01, 0.08, 0.5, 0.99])
def test_truncated_files_are_refused_or_tolerated_as_nic_decode_does(nic_file, share, tmp_path):
    whole, data = invoke("thumbnail", nic_file).out, nic_file.read_bytes()
    nic_file.write_bytes(data[: int(share * len(data))])
    target = tmp_path / "t.png"
    assert_fails(invoke("thumbnail", nic_file, "-o", target), 3, "truncated")
    assert not target.exists()
    result = invoke("thumbnail", "--tolerate", nic_file, "-o", target)
    expected = invoke("decode", "--tolerate", nic_file)
    assert_fails(result, expected.code, "truncated")
    assert target.exists() == (expected.code == 6) == (share > 0.01)
    if target.exists():
        assert (target.read_bytes() == whole) == (share > 0.1)


# -- the programs -----------------------------------------------------------------------------


def test_a_file_stdin_and_a_pipe_give_the_same_bytes(nic_file, tmp_path):
    """Run for real; nic-decode --scale is the same."""
    by_file = run("nic", "thumbnail", nic_file)
    assert (by_file.code, by_file.err) == (0, "")
    assert Image.open(io.BytesIO(by_file.out)).size == (75, 50)
    assert pipe(nic_file.read_bytes(), ["nic", "thumbnail"]) == by_file.out
    with open(nic_file, "rb") as stdin:
        assert run("nic", "thumbnail", stdin=stdin).out == by_file.out
    assert run("nic-decode", "--scale", "1/8", nic_file).out == by_file.out
    target = tmp_path / "t.jpg"
    assert run("nic", "thumbnail", nic_file, "-o", target).code == 0
    assert Image.open(target).format == "JPEG"


@pytest.mark.parametrize(
    ("options", "size"),
    [
        (["--scale", "1/16"], (38, 25)),
        (["--scale", "1/32"], (19, 13)),
        (["--size", "64"], (64, 43)),
        (["--size", "256"], (75, 50)),
    ],
)
def test_sizes(nic_file, options, size):
    out = invoke("thumbnail", "--format", "ppm", *options, nic_file).out
    assert out.startswith(b"P6\n%d %d\n255\n" % size)
    if options[0] == "--scale":
        assert invoke("decode", "--format", "ppm", *options, nic_file).out == out


def test_several_pictures_go_to_stdout_only(stages, tmp_path):
    two = 2 * stages["packed"]
    one = invoke("thumbnail", "--format", "ppm", data=stages["packed"]).out
    assert invoke("thumbnail", "--format", "ppm", data=two).out == 2 * one
    result = invoke("thumbnail", "-o", tmp_path / "t.ppm", data=two)
    assert_fails(result, 2, "more than one picture for", "use stdout")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["thumbnail", "--scale", "1/8", "--size", "9"], "give --scale or --size, not both"),
        (["decode", "--scale", "1/8", "-c", "1"], "only one of"),
    ],
)
def test_options_that_exclude_each_other(stages, words, complaint):
    assert_fails(invoke(*words, data=stages["packed"]), 2, complaint)


@pytest.mark.parametrize("words", [["--size", "0"], ["--size", "x"], ["--scale", "1/4"]])
def test_values_that_are_refused(words):
    result = invoke("thumbnail", *words)
    assert (result.code, result.out) == (2, b"")
    assert result.err.count("\n") == 1


def test_neither_pillow_nor_a_network_is_loaded(stages):
    loaded = modules_of("thumbnail", "--format", "ppm", data=stages["packed"])
    assert not loaded & (SLOW | {"imageio", "PIL", "rich"})
    probe = (
        "import json, sys; from nic.cli.main import main\n"
        "try: main(['thumbnail'], prog_name='nic')\n"
        "except SystemExit: pass\n"
        "sys.stderr.write(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], input=stages["packed"], capture_output=True, cwd=TESTS
    )
    names = json.loads(done.stderr)
    assert "PIL.Image" in names
    assert not [name for name in names if name.startswith(("nic.models.native", "imageio"))]


def test_a_note_says_what_a_format_cannot_hold(codec, pixels, caplog):
    alpha = np.full(pixels.shape[:2], 90, np.uint8)
    data = nic.compress(np.dstack([pixels, alpha]))
    with caplog.at_level(logging.WARNING, "nic"):
        result = invoke("thumbnail", "--format", "ppm", data=data)
    assert result.code == 0
    assert "ppm cannot hold transparency" in caplog.text + result.err


def test_too_many_pixels_are_refused(stages):
    result = invoke("thumbnail", "--max-pixels", "1000", data=stages["packed"])
    assert_fails(result, 1, "52x45 are 2340 pixels and the limit is 1000")


def test_a_picture_in_strips_that_memory_cannot_hold_is_refused(codec, photographs):
    """Its header claims 2^24 rows; the strip itself is small."""
    cut = nic.compress(photographs["coffee"][:299, :250], strip_pixels=48 * 250)
    first = next(read_records(io.BytesIO(cut)))
    claims = replace(first, header=replace(first.header, strip=(0, 1 << 24)))
    four_megabytes = (free_memory() or pytest.skip("free memory is not known")) >> 22
    narrow = Codec(processes=four_megabytes)
    with pytest.raises(NicError, match=r"250x16777216 are .* and the limit is"):
        next(thumbnails(narrow, io.BytesIO(to_bytes(claims))))


def test_a_picture_in_place_of_a_stream(png):
    assert_fails(invoke("thumbnail", png), 3, "a PNG picture, not a nic stream")
