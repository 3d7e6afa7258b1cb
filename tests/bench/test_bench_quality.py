"""The quality comparison: rows, means, interrupts, and metrics against other implementations."""

import stat
import sys

import numpy as np
import pytest
from PIL import Image

from nic.bench import pictures
from nic.bench.codecs import nic_coder
from nic.bench.quality import butteraugli, peers, rates, summary
from nic.bench.report import plot, tables
from nic.errors import CorruptError, NicError, UsageError
from nic.picture import metrics, perceptual
from nic.processes import pool

LEVELS = (20.0, 60.0, 100.0)
TIMES = ("encode", "decode")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photographs):
    """Two small colour pictures, a grey one, and a file that is no picture."""
    path = tmp_path_factory.mktemp("pictures")
    for number, name in enumerate(("astronaut", "chelsea")):
        Image.fromarray(photographs[name][40:240, 60:244]).save(path / f"{number}.png")
    Image.fromarray(photographs["coffee"][:180, :176, 1]).save(path / "2.png")
    (path / "notes.txt").write_text("not a picture\n")
    return path


@pytest.fixture(scope="module")
def setup():
    return rates.Setup(("light",), levels=LEVELS, peers=("jpeg",))


@pytest.fixture(scope="module")
def report(setup, folder):
    return rates.measure(setup, pictures.in_folders([folder]))


def without_times(rows):
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def test_pictures_of_a_folder_are_in_order_and_files_as_given(folder):
    found = pictures.in_folders([folder])
    assert [path.name for path in found] == ["0.png", "1.png", "2.png"]
    assert pictures.in_folders([folder / "1.png", folder / "0.png"]) == [found[1], found[0]]


def test_a_folder_without_pictures_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no pictures"):
        pictures.in_folders([tmp_path])


def test_rows_are_in_order_and_complete(report):
    assert report["complete"]
    assert report["pictures"] == ["0.png", "1.png", "2.png"]
    assert [row["picture"] for row in report["rows"]] == sorted(
        r["picture"] for r in report["rows"]
    )
    of_first = [(r["codec"], r["level"]) for r in report["rows"] if r["picture"] == "0.png"]
    assert of_first[:3] == [("nic light", level) for level in LEVELS]
    assert [codec for codec, _ in of_first[3:]] == ["jpeg"] * 6


def test_bytes_and_scores_are_those_of_the_file(report, folder):
    pixels = np.array(Image.open(folder / "1.png"))
    coder = nic_coder("light")
    file = coder.encode(pixels, 60)
    decoded = coder.decode(file)
    (row,) = [
        r for r in report["rows"]
        if (r["codec"], r["picture"], r["level"]) == ("nic light", "1.png", 60)
    ]  # fmt: skip
    assert row["bytes"] == len(file)
    assert row["bpp"] == pytest.approx(8 * len(file) / (200 * 184))
    assert row["psnr"] == metrics.psnr(pixels, decoded)
    assert (row["ssim"], row["ms_ssim"]) == metrics.similarities(pixels, decoded)
    if perceptual.is_installed():
        assert row["ssimulacra2"] == perceptual.ssimulacra2(pixels, decoded)


def test_means_are_over_the_pictures(report):
    rows = [r for r in report["rows"] if (r["codec"], r["level"]) == ("jpeg", 55)]
    (mean,) = [r for r in report["means"] if (r["codec"], r["level"]) == ("jpeg", 55)]
    assert len(rows) == 3
    for name in ("bpp", "psnr", "ssim", "ms_ssim"):
        assert mean[name] == pytest.approx(np.mean([row[name] for row in rows]), abs=1e-6)


def test_nic_needs_fewer_bytes_than_jpeg(report):
    rates = {(r["against"], r["metric"]): r["percent"] for r in report["bd_rates"]}
    assert {against for against, _ in rates} == {"jpeg"}
    assert -80 < rates["jpeg", "psnr"] < -10
    assert -80 < rates["jpeg", "ms_ssim"] < -10


def test_speed_is_measured_at_about_equal_quality(report):
    middle = next(r for r in report["means"] if (r["codec"], r["level"]) == ("nic light", 60))
    for row in report["seconds"]:
        assert abs(row["psnr"] - middle["psnr"]) < 2
        for way in TIMES:
            assert 0 < row[way]["low"] <= row[way]["median"] <= row[way]["high"] < 60
            assert row[way]["repeats"] == 3 * summary.REPEATS


def test_processes_find_the_same(report, setup, folder):
    again = rates.measure(setup, pictures.in_folders([folder]), jobs=2)
    assert without_times(again["rows"]) == without_times(report["rows"])
    assert again["means"] == report["means"]
    assert again["bd_rates"] == report["bd_rates"]


def test_progress_is_told_once_per_step(setup, folder):
    told = []
    paths = pictures.in_folders([folder])[:1]
    rates.measure(setup, paths, progress=told.append)
    assert len(told) == rates.steps(setup, paths) == 3 + 6 + 1


def test_an_interrupt_keeps_whole_pictures_alone(setup, folder, monkeypatch, report):
    """All codecs or none: a mean must not be over different pictures."""
    work, done = rates.work, []

    def interrupted(task):
        if len(done) == 9 + 9 + 5:  # in the third picture
            raise KeyboardInterrupt
        done.append(task)
        return work(task)

    monkeypatch.setattr(rates, "work", interrupted)
    partial = rates.measure(setup, pictures.in_folders([folder]))
    assert not partial["complete"]
    assert partial["pictures"] == ["0.png", "1.png"]
    assert without_times(partial["rows"]) == without_times(report["rows"][: 2 * 9])
    assert partial["bd_rates"][0]["percent"] is not None
    assert partial["seconds"] == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bad_picture_is_named(jobs, setup, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no PNG")
    with pytest.raises(CorruptError, match=r"bad\.png"):
        rates.measure(setup, [tmp_path / "bad.png"], jobs)


def test_a_picture_too_small_for_ms_ssim_is_named(setup, png):
    with pytest.raises(UsageError, match=r"a\.png: .*176"):
        rates.measure(setup, [png])


@pytest.fixture
def broken(tmp_path, folder):
    """A folder with a sound picture, one that is none, and one that is too small."""
    (tmp_path / "0.png").write_bytes((folder / "0.png").read_bytes())
    (tmp_path / "1.png").write_bytes(b"no PNG")
    Image.new("RGB", (200, 175)).save(tmp_path / "2.png")
    return tmp_path


def test_pictures_that_cannot_be_measured_are_left_out(broken, caplog):
    setup = rates.Setup(("light",), levels=(50.0,), peers=())
    found = rates.measure(setup, pictures.in_folders([broken]))
    assert (found["complete"], found["pictures"]) == (True, ["0.png"])
    assert ["1.png" in found["left_out"][0], "176" in found["left_out"][1]] == [True, True]
    assert [record.getMessage() for record in caplog.records] == [
        f"left out: {reason}" for reason in found["left_out"]
    ]
    told = [line for line in tables.notes(found) if line.startswith("Left out: ")]
    assert told == [f"Left out: {reason}." for reason in found["left_out"]]


@pytest.mark.parametrize("error", [ValueError("too wide"), RuntimeError("no"), OSError("no")])
def test_a_picture_that_a_peer_refuses_is_left_out_for_all(error, folder, monkeypatch):
    """Means must be over the same pictures for every codec."""

    def encode(pixels, level):
        if pixels.shape[0] == 180:
            raise error
        return jpeg.encode(pixels, level)

    jpeg = peers.jpeg()
    monkeypatch.setitem(peers.PEERS, "jpeg", lambda: peers.replace(jpeg, encode=encode))
    rates.coders_of.cache_clear()
    setup = rates.Setup(("light",), levels=(51.0, 61.0), peers=("jpeg",))
    try:
        found = rates.measure(setup, pictures.in_folders([folder])[1:])
        assert found["pictures"] == ["1.png"]
        assert len(found["rows"]) == 2 + 6
        assert found["left_out"] == [f"{folder / '2.png'}: jpeg: {error}"]
        with pytest.raises(NicError, match=rf"2\.png: jpeg: {error}"):
            rates.measure(setup, [folder / "2.png"])
    finally:
        rates.coders_of.cache_clear()


def test_what_is_transparent_is_measured_over_white(tmp_path, photographs, caplog):
    rgba = np.dstack([photographs["chelsea"][:180, :200], np.zeros((180, 200), np.uint8)])
    rgba[:90, :, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    found = pictures.load(tmp_path / "a.png")
    assert np.array_equal(found[:90], rgba[:90, :, :3])
    assert (found[90:] == 255).all()
    caplog.clear()
    setup = rates.Setup(("light",), levels=(52.0, 62.0), peers=())
    rates.measure(setup, [tmp_path / "a.png"])
    (record,) = caplog.records  # not once per level
    assert "a.png: transparency" in record.getMessage()


def test_pictures_without_a_finite_psnr_have_times_and_a_plot(tmp_path):
    pytest.importorskip("matplotlib")
    Image.new("RGB", (176, 176), (7, 7, 7)).save(tmp_path / "a.png")
    setup = rates.Setup(("light",), levels=(53.0,), peers=("jpeg",))
    found = rates.measure(setup, [tmp_path / "a.png"])
    assert None in [row["psnr"] for row in found["means"]]
    assert [row["codec"] for row in found["seconds"]] == ["nic light", "jpeg"]
    assert plot.draw(found, "png").startswith(b"\x89PNG")
    nothing = [{**row, "psnr": None, "ssim": 1.0, "ms_ssim": 1.0} for row in found["means"]]
    assert plot.draw({**found, "means": nothing}, "png").startswith(b"\x89PNG")


def test_results_outlive_a_process_that_is_killed(folder, monkeypatch, caplog):
    def in_order(act, tasks, jobs):
        yield from map(act, tasks[:1])
        yield pool.Death(-9)

    monkeypatch.setattr(pool, "in_order", in_order)
    setup = rates.Setup(("light",), levels=(54.0,), peers=())
    found = rates.measure(setup, pictures.in_folders([folder]), 2)
    assert (found["complete"], found["pictures"]) == (False, ["0.png"])
    assert "was killed (SIGKILL)" in caplog.text


def test_a_missing_metric_is_a_line_and_no_number(monkeypatch, folder):
    monkeypatch.setattr(perceptual, "is_installed", lambda: False)
    monkeypatch.setattr(butteraugli, "is_installed", lambda: False)
    rates.coders_of.cache_clear()
    setup = rates.Setup(("light",), levels=(50.0, 51.0), peers=())
    found = rates.measure(setup, pictures.in_folders([folder])[:1])
    rates.coders_of.cache_clear()
    assert found["missing"] == [perceptual.ABSENT, butteraugli.ABSENT]
    for name in ("ssimulacra2", "butteraugli"):
        assert found["rows"][0][name] is None
        assert found["means"][0][name] is None
    for table in tables.tables(found):
        assert not {"SSIMULACRA 2", "Butteraugli", "Butteraugli, 3-norm"} & set(table.header)
        assert {len(row) for row in table.rows} == {len(table.header)}
    assert f"Not measured: {butteraugli.ABSENT}." in tables.notes(found)


def test_equal_pictures_have_no_finite_psnr():
    flat = np.full((176, 176, 3), 7, np.uint8)
    assert rates._scores(flat, flat)["psnr"] is None


# -- against a codec of several settings ------------------------------------------------------


def made_means(**factors):
    """Straight curves of all metrics: each codec needs so many times the bytes of another."""
    return [
        {"codec": codec, "level": level, "bpp": factors[codec] * 2.0**level}
        | {name: level / 10 if name in summary.SIMILARITIES else level for name in summary.METRICS}
        | {"butteraugli": 9 - level}
        for codec in factors
        for level in (1, 2, 3, 4)
    ]


def test_the_better_setting_is_found_for_every_metric():
    rows = made_means(nic=1, jpeg=4, **{"avif-iq": 2, "avif-ssim": 1.25})
    for row in rows:
        if row["codec"] == "avif-iq":  # the better one in what it is tuned for
            row["ssimulacra2"] += 1
    names = ["nic", "jpeg", "avif-iq", "avif-ssim"]
    found = {(r["against"], r["metric"]): r["percent"] for r in summary.bd_rates(names, 1, rows)}
    better = {metric: found["AVIF, better of both", metric] for metric in summary.METRICS}
    assert better.pop("ssimulacra2") == found["avif-iq", "ssimulacra2"] == pytest.approx(0, abs=0.1)
    assert set(better.values()) == {-20.0}
    assert found["avif-iq", "butteraugli"] == -50


def test_one_setting_alone_is_not_the_better_of_both():
    rows = made_means(nic=1, **{"avif-iq": 2})
    found = summary.bd_rates(["nic", "avif-iq"], 1, rows)
    assert {row["against"] for row in found} == {"avif-iq"}


def test_a_setting_that_shares_no_quality_does_not_count():
    assert summary._largest([None, -3.0]) == -3
    assert summary._largest([None, None]) is None


def test_settings_are_peers():
    for settings in summary.SETTINGS.values():
        assert set(settings) <= set(peers.PEERS)


def test_the_better_of_both_is_a_line_below_both(folder):
    setup = rates.Setup(("light",), levels=(55.0, 65.0), peers=("avif-iq", "avif-ssim", "jpegxl"))
    if rates.coders_of(setup)[1][:1] and len(rates.coders_of(setup)[0]) < 4:
        pytest.skip("not every peer is installed")
    found = rates.measure(setup, pictures.in_folders([folder])[:1])
    table = tables.tables(found)[0]
    titles = [row[0] for row in table.rows]
    at = titles.index("AVIF, better of both")
    assert ["tune=iq" in titles[at - 2], "tune=ssim" in titles[at - 1]] == [True, True]
    assert "JPEG XL" in titles[at + 1]
    rows = [table.rows[n] for n in (at - 2, at - 1, at)]
    for iq, ssim, better in list(zip(*rows, strict=True))[1:-2]:
        assert better in (iq, ssim)
    assert rows[-1][-2:] == ["-", "-"]


# -- Butteraugli ------------------------------------------------------------------------------

FAKE = r"""#!{python}
import sys
with open(sys.argv[1], "rb") as one, open(sys.argv[2], "rb") as other:
    equal = one.read() == other.read()
print("0.0000000000\n3-norm: 0.000000" if equal else "5.0914940834\n3-norm: 1.965310")
"""


@pytest.fixture
def fake_butteraugli(tmp_path, monkeypatch):
    """A program in the place of butteraugli_main, which only knows equal pictures."""
    path = tmp_path / "bin" / butteraugli.PROGRAM
    path.parent.mkdir()
    path.write_text(FAKE.format(python=sys.executable))
    path.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(path.parent))
    return path


@pytest.mark.usefixtures("fake_butteraugli")
def test_butteraugli_is_the_3_norm_that_the_program_prints(photographs):
    source = photographs["chelsea"][:200, :200]
    assert butteraugli.is_installed()
    assert butteraugli.butteraugli(source, source) == 0
    assert butteraugli.butteraugli(source, 255 - source) == 1.96531


def test_butteraugli_that_fails_is_an_error(fake_butteraugli, photographs):
    source = photographs["chelsea"][:200, :200]
    fake_butteraugli.write_text("#!/bin/sh\necho cannot >&2; exit 1\n")
    with pytest.raises(NicError, match="butteraugli_main failed: cannot"):
        butteraugli.butteraugli(source, source)
    fake_butteraugli.write_text("#!/bin/sh\necho assuming sRGB >&2; echo no >&2; exit 1\n")
    with pytest.raises(NicError, match=r"failed: no$"):
        butteraugli.butteraugli(source, source)
    fake_butteraugli.write_text("#!/bin/sh\necho usage\n")
    with pytest.raises(NicError, match="butteraugli_main failed: usage"):
        butteraugli.butteraugli(source, source)


@pytest.mark.usefixtures("fake_butteraugli")
def test_butteraugli_is_a_column_and_a_panel(folder):
    """Five metrics and the times: every panel of the plot has something to show."""
    pytest.importorskip("matplotlib")
    rates.coders_of.cache_clear()
    setup = rates.Setup(("light",), levels=(50.0, 57.0), peers=("jpeg",))
    found = rates.measure(setup, pictures.in_folders([folder])[:1])
    rates.coders_of.cache_clear()
    assert butteraugli.ABSENT not in found["missing"]
    assert {row["butteraugli"] for row in found["means"]} == {1.96531}
    for table, name in zip(
        tables.tables(found), ("Butteraugli", "Butteraugli, 3-norm"), strict=True
    ):
        assert name in table.header
    assert plot.draw(found, "png").startswith(b"\x89PNG")


def test_butteraugli_of_equal_and_worse_pictures(photographs):
    if not butteraugli.is_installed():
        pytest.skip("butteraugli_main is not installed")
    source = photographs["chelsea"][:200, :200]
    noise = np.random.default_rng(3).normal(0, 1, source.shape)
    worse = [np.clip(source + s * noise, 0, 255).astype(np.uint8) for s in (0, 4, 16)]
    found = [butteraugli.butteraugli(source, decoded) for decoded in worse]
    assert found[0] == 0
    assert found[0] < found[1] < found[2]


# -- against other implementations ------------------------------------------------------------


@pytest.fixture(scope="module")
def pairs(photographs):
    """Photographs and what JPEG and nic make of them, with sides that halve evenly."""
    source = np.ascontiguousarray(photographs["astronaut"][:384, :320])
    coders = [(nic_coder("light"), 30), (nic_coder("light"), 90)]
    return [(source, coder.decode(coder.encode(source, level))) for coder, level in coders]


def test_psnr_agrees_to_a_thousandth_of_a_decibel(pairs):
    other = pytest.importorskip("skimage.metrics")
    for x, y in pairs:
        assert metrics.psnr(x, y) == pytest.approx(other.peak_signal_noise_ratio(x, y), abs=1e-3)


def test_ms_ssim_agrees_to_a_ten_thousandth(pairs):
    tensorflow = pytest.importorskip("tensorflow")
    for x, y in pairs:
        other = float(tensorflow.image.ssim_multiscale(x[None], y[None], 255)[0])
        assert metrics.ms_ssim(x, y) == pytest.approx(other, abs=1e-4)
        assert metrics.ssim(x, y) == pytest.approx(
            float(tensorflow.image.ssim(x, y, 255)), abs=1e-4
        )


def test_ssimulacra2_of_equal_and_worse_pictures(photographs):
    pytest.importorskip("ssimulacra2")
    source = photographs["chelsea"][:200, :200]
    noise = np.random.default_rng(3).normal(0, 1, source.shape)
    worse = [np.clip(source + s * noise, 0, 255).astype(np.uint8) for s in (0, 4, 16)]
    scores = [perceptual.ssimulacra2(source, decoded) for decoded in worse]
    assert scores[0] == pytest.approx(100)
    assert scores[0] > scores[1] > scores[2]
