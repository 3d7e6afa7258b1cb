"""Rate targets: the search by itself, and what nic compress makes of them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from programs import assert_fails, invoke
from records import from_bytes

from nic.format import records
from nic.format.records import Stage
from nic.picture import metrics
from nic.search.target import PROBES, Found, Target, search


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
        ("--target-psnr", "70", ("reaches 70 dB", "at quality"), None),
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
