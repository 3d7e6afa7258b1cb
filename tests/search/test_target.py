"""Rate targets: the search by itself, and what nic compress makes of them."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from programs import assert_fails, invoke
from records import from_bytes

import nic
from nic.errors import UsageError
from nic.format import records
from nic.format.records import Stage
from nic.picture import metrics, perceptual
from nic.search import distortion
from nic.search.quality import PROBES, Found, search
from nic.search.target import Target, target_of


def counted(function):
    """The function, and the list of its arguments so far."""
    calls = []

    def call(quality):
        calls.append(quality)
        return function(quality)

    return call, calls


# -- search -----------------------------------------------------------------------------------


@given(st.floats(100, 1e6), st.floats(0.001, 0.08), st.floats(-0.5, 0.5), st.floats(0.01, 0.99))
def test_bytes_end_right_below_the_goal(start, growth, bend, part):
    def size(quality):
        x = (quality - 1) / 99
        return round(start * math.exp(growth * 99 * (x + bend * x * (1 - x))))

    goal = size(1) * (size(100) / size(1)) ** part
    measure, calls = counted(size)
    found = search(measure, goal, is_rate=True)
    assert len(calls) <= PROBES
    assert found.met == (size(1) <= goal)
    assert found.measured == size(found.quality) <= max(goal, size(1))
    if found.met and found.quality < 100:
        assert size(min(100, found.quality + 0.2)) > goal or found.measured > 0.98 * goal


@given(st.floats(20, 30), st.floats(5, 20), st.floats(0.2, 1), st.floats(0.01, 0.99))
def test_psnr_ends_right_above_the_goal(least, more, power, part):
    def psnr(quality):
        return least + more * ((quality - 1) / 99) ** power

    goal = least + part * more
    measure, calls = counted(psnr)
    found = search(measure, goal, is_rate=False)
    assert len(calls) <= PROBES
    assert found.met
    assert goal <= found.measured == psnr(found.quality)
    assert found.measured < goal + 0.1 or psnr(max(1, found.quality - 0.2)) < goal


@given(st.floats(-40, 30), st.floats(20, 60), st.floats(0.2, 1), st.floats(0.01, 0.99))
def test_a_score_ends_close_above_the_goal_in_few_tries(least, more, power, part):
    def score(quality):
        return least + more * ((quality - 1) / 99) ** power

    goal = least + part * more
    measure, calls = counted(score)
    exact, all_calls = counted(score)
    found = search(measure, goal, is_rate=False, close=0.1)
    search(exact, goal, is_rate=False)
    assert found.met
    assert found.measured >= goal
    assert len(calls) <= len(all_calls) <= PROBES
    assert found.measured < goal + 0.1 or len(calls) == len(all_calls)


@given(st.integers(0, 2**32), st.floats(0, 0.1), st.floats(0.01, 0.99))
def test_a_measure_that_is_not_monotone_never_exceeds_the_goal(seed, noise, part):
    rng = np.random.default_rng(seed)
    wiggle = rng.normal(0, noise, 10001)

    def size(quality):
        return 1000 * math.exp(quality / 40 + wiggle[round(100 * quality)])

    goal = 1000 * math.exp((1 + 99 * part) / 40)
    found = search(size, goal, is_rate=True)
    assert not found.met or found.measured <= goal
    assert found.met or (found.quality == 1 and size(1) > goal)


@pytest.mark.parametrize(
    ("goal", "is_rate", "expected"),
    [
        (0.5, True, Found(1, 1, False)),
        (1, True, Found(1, 1, True)),
        (100, True, Found(100, 100, True)),
        (1e9, True, Found(100, 100, True)),
        (0.5, False, Found(1, 1, True)),
        (1, False, Found(1, 1, True)),
        (100, False, Found(100, 100, True)),
        (101, False, Found(100, 100, False)),
    ],
)
def test_ends(goal, is_rate, expected):
    assert search(lambda quality: quality, goal, is_rate) == expected


def test_equal_values_everywhere_end():
    assert search(lambda _: 7.0, 7, is_rate=True) == Found(100, 7, True)
    assert search(lambda _: math.inf, 40, is_rate=False) == Found(1, math.inf, True)


def test_goals():
    assert Target("bpp", 0.5).goal(1600) == 100
    assert Target("size", 300).goal(1600) == 300
    assert Target("psnr", 30).goal(1600) == 30
    assert Target("ssimulacra2", 70).goal(1600) == 70


@pytest.mark.parametrize("score", [0, -5, 100.5, math.inf, -math.inf, math.nan])
def test_a_score_out_of_range_is_refused(score):
    with pytest.raises(UsageError, match=r"finite number above 0|at most 100"):
        target_of(None, None, None, score)


def test_a_score_without_its_package_names_the_extra(monkeypatch, source):
    monkeypatch.setattr(perceptual, "is_installed", lambda: False)
    result = invoke("compress", "--target-ssimulacra2", "50", source)
    assert_fails(result, 2, "ssimulacra2 is not installed", "pip install 'nic-codec[ssimulacra2]'")
    assert not source.with_suffix(".nic").exists()


# -- distortion -------------------------------------------------------------------------------


@pytest.fixture
def counting_score(monkeypatch):
    """In place of SSIMULACRA 2: the mean difference; a list of the shapes that were measured."""
    shapes = []

    def score(original, decoded):
        shapes.append(original.shape)
        return float(np.mean(original.astype(float) - decoded))

    monkeypatch.setattr(perceptual, "ssimulacra2", score)
    return shapes


def strips_of(original, decoded, visible, cuts):
    edges = [0, *cuts, len(original)]
    for top, bottom in pairwise(edges):
        seen = None if visible is None else visible[top:bottom]
        yield distortion.Strip(original[top:bottom], decoded[top:bottom], seen)


@pytest.mark.parametrize("cuts", [(), (8,), (5, 30, 31, 64)])
@pytest.mark.parametrize("size", [(40, 40), (80, 30), (97, 83), (20, 170)])
def test_a_large_picture_is_scored_in_tiles_whatever_its_strips(
    counting_score, monkeypatch, cuts, size
):
    monkeypatch.setattr(distortion, "TILE", 50)
    original, decoded = np.random.default_rng(1).integers(0, 256, (2, *size, 3), np.uint8)
    cuts = [cut for cut in cuts if cut < len(original)]
    found = distortion.ssimulacra2(strips_of(original, decoded, None, cuts), size[1], size[0])
    assert found == pytest.approx(np.mean(original.astype(float) - decoded))
    if size[0] * size[1] <= 2500:
        assert counting_score == [(*size, 3)]
    else:
        assert max(max(shape[:2]) for shape in counting_score) <= 50
        sides = [{shape[i] for shape in counting_score} for i in (0, 1)]
        assert all(max(side) - min(side) <= 1 for side in sides)


@pytest.mark.parametrize("grey", [False, True])
def test_hidden_pixels_have_no_difference(counting_score, grey):
    original, decoded = np.random.default_rng(1).integers(0, 256, (2, 30, 40, 3), np.uint8)
    if grey:
        original, decoded = original[..., 0], decoded[..., 0]
    visible = np.zeros((30, 40), bool)
    visible[10:, :7] = True
    expected = np.where(visible if grey else visible[..., None], original.astype(float), 0)
    expected -= np.where(visible if grey else visible[..., None], decoded, 0)
    found = distortion.ssimulacra2(strips_of(original, decoded, visible, [12]), 40, 30)
    assert found == pytest.approx(expected.mean())


@pytest.mark.parametrize(("width", "height"), [(7, 100), (100, 7), (1, 1)])
def test_a_picture_without_a_score_is_refused(tmp_path, width, height):
    pytest.importorskip("ssimulacra2")
    Image.new("RGB", (width, height)).save(tmp_path / "thin.png")
    result = invoke("compress", "--target-ssimulacra2", "50", tmp_path / "thin.png")
    assert_fails(result, 2, "thin.png", "8 pixels or more", f"{width}x{height}")
    assert not (tmp_path / "thin.nic").exists()


# -- nic compress -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def photo(photographs):
    return photographs["chelsea"][:200, :240]


@pytest.fixture
def source(tmp_path, photo):
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    return path


def size_at(codec, photo, quality):
    record = codec.forward(codec.encode(photo), Stage.PACKED, quality)
    return records.size(record)


@pytest.mark.parametrize(
    ("option", "value", "goal"),
    [
        ("--target-size", "2500", 2500),
        ("--target-size", "3k", 3072),
        ("--target-size", "0.005M", 5242),
        ("--target-bpp", "0.6", 3600),
        ("--target-bpp", "1.1", 6600),
    ],
)
def test_a_file_of_a_size(codec, photo, source, option, value, goal):
    assert invoke("compress", option, value, source).code == 0
    data = source.with_suffix(".nic").read_bytes()
    quality = from_bytes(data).header.quality
    assert len(data) <= goal
    above = round(quality + 0.01, 2)
    assert len(data) >= 0.98 * goal or size_at(codec, photo, above) > goal
    assert len(data) == size_at(codec, photo, quality)  # as -q would write it


@pytest.mark.parametrize("goal", [30, 33.5])
@pytest.mark.parametrize("grey", [False, True])
def test_a_picture_of_a_psnr(codec, photo, source, goal, grey):
    pixels = photo[..., 1] if grey else photo
    Image.fromarray(pixels).save(source)
    assert invoke("compress", "--target-psnr", goal, source).code == 0
    back = source.with_name("back.png")
    assert invoke("decompress", source.with_suffix(".nic"), "-o", back).code == 0
    reached = metrics.psnr(pixels, np.array(Image.open(back)))
    assert goal <= reached < goal + 0.1


@pytest.mark.parametrize("goal", [50, 72.5])
@pytest.mark.parametrize("grey", [False, True])
def test_a_picture_of_a_score(photographs, source, goal, grey):
    pytest.importorskip("ssimulacra2")
    photo = photographs["coffee"][:300, :340]  # large enough for all scales
    pixels = photo[..., 1] if grey else photo
    Image.fromarray(pixels).save(source)
    arguments = ("--target-ssimulacra2", goal, "--tune", "visual")
    assert invoke("compress", *arguments, source).code == 0
    back = source.with_name("back.png")
    assert invoke("decompress", source.with_suffix(".nic"), "-o", back).code == 0
    reached = perceptual.ssimulacra2(pixels, np.array(Image.open(back)))
    assert goal <= reached < goal + 0.2


def test_a_picture_of_16_bits_has_a_score(photographs):
    pytest.importorskip("ssimulacra2")
    pixels = photographs["coffee"][:300, :340].astype(np.uint16) * 257 + 100
    decoded = nic.decompress(nic.compress(pixels, target_ssimulacra2=60))
    assert decoded.dtype == np.uint16
    assert 60 <= perceptual.ssimulacra2(pixels, decoded) < 60.2


def test_a_picture_of_eight_pixels_has_a_score(photo, source):
    pytest.importorskip("ssimulacra2")
    Image.fromarray(photo[100:108, 100:108]).save(source)
    assert invoke("compress", "--target-ssimulacra2", 60, source).code == 0
    back = source.with_name("back.png")
    assert invoke("decompress", source.with_suffix(".nic"), "-o", back).code == 0
    reached = perceptual.ssimulacra2(photo[100:108, 100:108], np.array(Image.open(back)))
    assert reached >= 60


def test_a_transparent_picture_of_a_score(photo, source):
    """Hidden pixels count as equal, so a half is visible and the whole has the score."""
    pytest.importorskip("ssimulacra2")
    alpha = np.full(photo.shape[:2], 255, np.uint8)
    alpha[:, :120] = 0
    Image.fromarray(np.dstack([photo, alpha])).save(source)
    assert invoke("compress", "--target-ssimulacra2", "60", source).code == 0
    back = source.with_name("back.png")
    assert invoke("decompress", source.with_suffix(".nic"), "-o", back).code == 0
    decoded = np.array(Image.open(back))[..., :3].copy()
    original = np.array(Image.open(source))[..., :3].copy()
    decoded[:, :120] = original[:, :120] = 128
    assert 59 < perceptual.ssimulacra2(original, decoded) < 62


def test_a_score_does_not_depend_on_strips(photographs, tmp_path):
    pytest.importorskip("ssimulacra2")
    pixels = photographs["coffee"]
    Image.fromarray(pixels).save(tmp_path / "a.ppm")
    arguments = ("--target-ssimulacra2", "40", "--tune", "visual")
    whole, strips = tmp_path / "whole.nic", tmp_path / "strips.nic"
    assert invoke("compress", *arguments, tmp_path / "a.ppm", "-o", whole).code == 0
    arguments = (*arguments, "--max-memory", "100M")
    assert invoke("compress", *arguments, tmp_path / "a.ppm", "-o", strips).code == 0
    found = [nic.info(path) for path in (whole, strips)]
    assert len(found[0]) == 1 < len(found[1])
    assert found[0][0]["quality"] == pytest.approx(found[1][0]["quality"], abs=0.05)
    for path in (whole, strips):
        assert 40 <= perceptual.ssimulacra2(pixels, nic.decompress(path)) < 40.1


def test_what_is_transparent_counts_as_bytes_but_not_as_psnr(photo, source):
    alpha = np.full(photo.shape[:2], 255, np.uint8)
    alpha[:, :120] = 0
    Image.fromarray(np.dstack([photo, alpha])).save(source)
    assert invoke("compress", "--target-psnr", "33", source).code == 0
    back = source.with_name("back.png")
    assert invoke("decompress", source.with_suffix(".nic"), "-o", back).code == 0
    decoded = np.array(Image.open(back))[:, 120:, :3]
    assert 33 <= metrics.psnr(photo[:, 120:], decoded) < 33.1
    assert invoke("compress", "-f", "--target-size", "2500", source).code == 0
    assert 0.98 * 2500 < source.with_suffix(".nic").stat().st_size <= 2500


def test_strips_are_aimed_as_one_picture(photographs, tmp_path):
    pixels = photographs["coffee"]
    Image.fromarray(pixels).save(tmp_path / "a.ppm")
    arguments = ("--target-size", "20k", "--max-memory", "100M")
    assert invoke("compress", *arguments, tmp_path / "a.ppm").code == 0
    assert 0.98 * 20480 < (tmp_path / "a.nic").stat().st_size <= 20480


@pytest.mark.parametrize(
    ("option", "value", "words", "quality"),
    [
        ("--target-size", "200", ("fits into 200 bytes", "at quality 1"), 1),
        ("--target-bpp", "0.01", ("fits into 0.01 bpp", "at quality 1"), 1),
        ("--target-psnr", "70", ("reaches 70 dB", "dB at quality"), None),
        ("--target-ssimulacra2", "99", ("reaches 99 in SSIMULACRA 2", "at quality 100"), 100),
    ],
)
def test_a_target_out_of_reach(source, option, value, words, quality):
    target = source.with_suffix(".nic")
    strict = invoke("compress", option, value, "--strict", source)
    assert_fails(strict, 1, "photo.png", *words)
    assert not target.exists()
    near = invoke("compress", option, value, source)
    assert (near.code, near.err.count("\n")) == (0, 1)
    assert all(word in near.err for word in ("nic: note: ", "photo.png", *words))
    found = from_bytes(target.read_bytes()).header.quality
    assert found == quality if quality else found > 90


@pytest.mark.parametrize(
    "arguments",
    [
        ("-q", "50", "--target-size", "9k"),
        ("--target-bpp", "1", "--target-psnr", "30"),
        ("--strict",),
        ("--target-size", "0"),
        ("--target-size", "lots"),
        ("--target-size", "-5"),
        ("--target-bpp", "0"),
        ("--target-psnr", "-1"),
        ("--target-ssimulacra2", "0"),
        ("--target-ssimulacra2", "-5"),
        ("--target-ssimulacra2", "100.5"),
        ("--target-ssimulacra2", "nan"),
        ("--target-ssimulacra2", "high"),
        ("--target-ssimulacra2", "50", "--target-psnr", "30"),
        ("--target-ssimulacra2", "50", "-q", "30"),
    ],
)
def test_bad_targets_are_refused(source, arguments):
    result = invoke("compress", *arguments, source)
    assert result.code == 2
    assert not source.with_suffix(".nic").exists()


def test_each_picture_has_its_own_quality(source, tmp_path, photo):
    Image.fromarray(photo[::2, ::2]).save(tmp_path / "half.png")
    assert invoke("compress", "--target-bpp", "0.8", source, tmp_path / "half.png").code == 0
    for name, pixels in (("photo", 48000), ("half", 12000)):
        rate = 8 * (tmp_path / f"{name}.nic").stat().st_size / pixels
        assert 0.98 * 0.8 < rate <= 0.8
