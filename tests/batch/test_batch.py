"""nic compress and nic decompress: many files, some of them bad."""

import numpy as np
import pytest
from PIL import Image
from programs import assert_fails, invoke, run
from records import from_bytes

from nic.format.records import Stage


@pytest.fixture
def folder(tmp_path, pixels):
    """A folder with a good, a broken and another good picture."""
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nand nothing else")
    Image.fromarray(pixels[:20, :30, 0]).save(tmp_path / "b.png")
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_there_and_back(folder, pixels):
    assert run("nic", "compress", folder / "a.png").code == 0
    assert from_bytes((folder / "a.nic").read_bytes()).stage == Stage.PACKED
    assert run("nic", "decompress", folder / "a.nic", "-o", folder / "c.tiff").code == 0
    assert np.array(Image.open(folder / "c.tiff")).shape == pixels.shape
    assert names(folder) == ["a.nic", "a.png", "b.png", "bad.png", "c.tiff"]


def test_a_bad_picture_stops_no_other_and_decides_the_exit_code(folder):
    result = run("nic", "compress", *(folder / f"{name}.png" for name in ("a", "bad", "b")))
    assert_fails(result, 3, "bad.png: ")
    assert names(folder) == ["a.nic", "a.png", "b.nic", "b.png", "bad.png"]


def test_the_gravest_failure_is_the_exit_code(folder):
    """Not found is 1, a broken picture 3; each has its own line."""
    result = invoke("compress", folder / "bad.png", folder / "none.png", folder / "b.png")
    assert result.code == 3
    assert [line.split(": ")[0] for line in result.err.splitlines()] == ["nic-compress"] * 2
    assert (folder / "b.nic").exists()


def test_a_bad_stream_stops_no_other(folder, stages):
    for name, data in {"a": stages["packed"], "c": stages["packed"][:-9], "d": b""}.items():
        (folder / f"{name}.nic").write_bytes(data)
    files = [folder / f"{name}.nic" for name in "cad"]
    out = folder / "out"
    out.mkdir()
    result = invoke("decompress", "--output-dir", out, *files)
    assert result.code == 3
    assert result.err.count("\n") == 2
    assert names(out) == ["a.png"]


def test_an_output_dir_takes_the_files(folder):
    out = folder / "small"
    out.mkdir()
    assert invoke("compress", "--output-dir", out, folder / "a.png", folder / "b.png").code == 0
    assert names(out) == ["a.nic", "b.nic"]
    assert not (folder / "a.nic").exists()


def test_an_output_dir_must_exist(folder):
    result = invoke("compress", "--output-dir", folder / "none", folder / "a.png")
    assert result.code == 2
    assert "none" in result.err


def test_sources_are_kept_unless_told_otherwise(folder):
    a, b = folder / "a.png", folder / "b.png"
    assert invoke("compress", a).code == invoke("compress", "-k", "-f", a).code == 0
    assert a.exists()
    assert invoke("compress", "--rm", "-f", a, b).code == 0
    assert names(folder) == ["a.nic", "b.nic", "bad.png"]
    assert invoke("decompress", "--rm", folder / "a.nic").code == 0
    assert names(folder) == ["a.png", "b.nic", "bad.png"]


def test_a_source_that_failed_is_not_removed(folder):
    assert invoke("compress", "--rm", folder / "bad.png").code == 3
    assert (folder / "bad.png").exists()


def test_what_goes_to_stdout_is_not_removed(folder):
    result = invoke("compress", "--rm", "-o", "-", folder / "a.png")
    assert from_bytes(result.out).stage == Stage.PACKED
    assert (folder / "a.png").exists()


def test_a_source_written_over_is_not_removed_then(folder):
    """-f -o may name the source itself; what is there then is the result."""
    path = folder / "a.png"
    assert invoke("compress", "--rm", "-f", "-o", path, path).code == 0
    assert from_bytes(path.read_bytes()).stage == Stage.PACKED


def test_existing_outputs_are_kept_without_force(folder):
    (folder / "a.nic").write_bytes(b"precious")
    result = invoke("compress", "--rm", folder / "a.png", folder / "b.png")
    assert_fails(result, 1, "a.nic exists already", "-f")
    assert (folder / "a.nic").read_bytes() == b"precious"
    assert names(folder) == ["a.nic", "a.png", "b.nic", "bad.png"]


def test_inputs_that_would_share_an_output_are_refused_before_any_work(folder, pixels):
    Image.fromarray(pixels).save(folder / "a.bmp")
    result = invoke("compress", folder / "a.png", folder / "a.bmp")
    assert_fails(result, 2, "several inputs", "a.nic")
    assert not (folder / "a.nic").exists()


def test_one_output_takes_one_input(folder):
    result = invoke("compress", "-o", folder / "x.nic", folder / "a.png", folder / "b.png")
    assert_fails(result, 2, "one FILE")
    result = invoke("compress", "-o", "x.nic", "--output-dir", folder, folder / "a.png")
    assert_fails(result, 2, "--output-dir")
    assert not (folder / "x.nic").exists()


def test_a_file_of_several_pictures_is_not_decompressed_to_one(folder, stages):
    (folder / "two.nic").write_bytes(2 * stages["packed"])
    result = invoke("decompress", folder / "two.nic")
    assert_fails(result, 2, "two.nic", "more than one picture", "nic-decode")
    assert not (folder / "two.png").exists()


def test_the_format_decides_the_name(folder, stages):
    (folder / "z.nic").write_bytes(stages["packed"])
    assert invoke("decompress", "--format", "jpeg", folder / "z.nic").code == 0
    assert Image.open(folder / "z.jpeg").format == "JPEG"


def test_options_of_rate_and_model_reach_the_file(folder, model):
    exact = f"{model.name}-{model.version}"
    options = ("-q", "12.5", "--channels", "16", "--model", exact)
    assert invoke("compress", *options, folder / "a.png").code == 0
    header = from_bytes((folder / "a.nic").read_bytes()).header
    assert (header.quality, header.channels, header.model) == (12.5, 16, model.id)


def test_a_progress_bar_is_for_terminals_only(folder):
    """One line per failure and nothing else goes to a file."""
    result = invoke("compress", folder / "a.png", folder / "b.png")
    assert (result.code, result.err, result.out) == (0, "", b"")
