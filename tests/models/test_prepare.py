"""Preparing training shards: what comes in, what is refused, and that it can be repeated."""

import io
import json
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from PIL import Image
from places import ROOT

from nic.errors import UsageError
from nic.models.training import data

SCRIPT = ROOT / "scripts" / "prepare.py"
OPTIONS = ("--licence", "CC0", "--crop", "64", "--smallest", "32", "--crops", "2")


def prepare(folder, target, *options):
    return subprocess.run(
        [sys.executable, SCRIPT, folder, "--to", target, *OPTIONS, *options],
        capture_output=True,
        text=True,
    )


@pytest.fixture
def folder(tmp_path):
    """A lossless picture, one that was coded with loss, and one that is too small."""
    noise = np.random.default_rng(1).integers(0, 256, (150, 200, 3), np.uint8)
    (tmp_path / "in/deep").mkdir(parents=True)
    Image.fromarray(noise).save(tmp_path / "in/a.png")
    Image.fromarray(noise).save(tmp_path / "in/deep/b.jpg", quality=90)
    Image.fromarray(noise[:20]).save(tmp_path / "in/small.png")
    return tmp_path / "in"


def members(shards):
    """The pixels of every crop by name."""
    found = {}
    for path in sorted(shards.glob("*.tar")):
        with tarfile.open(path) as shard:
            for member in shard:
                image = Image.open(io.BytesIO(shard.extractfile(member).read()))
                found[member.name] = np.asarray(image)
    return found


def test_crops_are_pixels_of_their_sources(folder, tmp_path):
    done = prepare(folder, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    crops = members(tmp_path / "out")
    assert len(crops) == manifest["count"] == 3
    assert manifest["left_out"] == {"unreadable": [], "small": ["small.png"]}
    for facts in manifest["pictures"]:
        source = np.asarray(Image.open(folder / facts["source"])).astype(float)
        factor = facts["factor"]
        assert factor == (2 if facts["source"].endswith("jpg") else 1)
        h, w = (side // factor for side in source.shape[:2])
        source = source[: h * factor, : w * factor]
        means = source.reshape(h, factor, w, factor, 3).mean((1, 3))
        box = (
            slice(facts["top"], facts["top"] + facts["height"]),
            slice(facts["left"], facts["left"] + facts["width"]),
        )
        assert np.abs(crops[facts["file"]] - means[box]).max() <= 0.5


def test_the_same_twice_and_another_seed_differs(folder, tmp_path):
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        assert prepare(folder, tmp_path / name, "--seed", str(seed)).returncode == 0
    one, two, three = (
        [(p.name, p.read_bytes()) for p in sorted((tmp_path / name).iterdir())]
        for name in ("one", "two", "three")
    )
    assert one == two != three


def test_shards_stay_below_their_size_and_train(folder, tmp_path):
    assert prepare(folder, tmp_path / "out", "--shard-size", "20480").returncode == 0
    shards = list((tmp_path / "out").glob("*.tar"))
    assert len(shards) > 1
    assert all(path.stat().st_size <= 20480 for path in shards)
    assert len(data.load_pictures(tmp_path / "out", 32)) == 3


def test_damaged_pictures_are_skipped_and_decide_the_exit_code(folder, tmp_path):
    (folder / "c.png").write_bytes((folder / "a.png").read_bytes()[:500])
    done = prepare(folder, tmp_path / "out")
    assert done.returncode == 3
    assert "c.png: " in done.stderr
    assert "Traceback" not in done.stderr
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["left_out"]["unreadable"] == ["c.png"]
    assert manifest["count"] == 3


def test_pictures_that_are_not_of_integers_are_skipped_too(folder, tmp_path):
    Image.fromarray(np.full((150, 200), 0.5, np.float32)).save(folder / "float.tif")
    done = prepare(folder, tmp_path / "out")
    assert done.returncode == 3
    assert "float.tif: " in done.stderr
    assert "Traceback" not in done.stderr
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["left_out"]["unreadable"] == ["float.tif"]
    assert manifest["count"] == 3


@pytest.mark.parametrize("fault", ["kodak's name", "exists", "empty", "tiny shards"])
def test_refused_with_one_line_and_nothing_written(fault, folder, tmp_path):
    out, options = tmp_path / "out", []
    if fault == "kodak's name":
        (folder / "a.png").rename(folder / "kodim07.png")
    elif fault == "exists":
        out.mkdir()
    elif fault == "empty":
        for path in [*folder.rglob("*.png"), *folder.rglob("*.jpg")]:
            path.unlink()
    else:
        options = ["--shard-size", "10240"]
    done = prepare(folder, out, *options)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("prepare.py: ")
    assert not list(out.glob("*"))
    assert not list(tmp_path.glob("*.partial"))


def test_kodak_is_known_by_its_pixels(kodak, tmp_path):
    for path in kodak[:3]:
        pixels = np.asarray(Image.open(path))
        assert data.is_kodak(np.rot90(pixels))
        changed = pixels.copy()
        changed[0, 0, 0] ^= 1
        assert not data.is_kodak(changed)
        Image.fromarray(pixels).save(tmp_path / "holiday.png")
        with pytest.raises(UsageError, match="Kodak"):
            data.load_pictures(tmp_path, 128)
