"""Outputs of nic compress and decompress: when, how, and under which names they are written."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image
from programs import assert_fails, invoke, program, run, start
from records import from_bytes

from nic.cli.common.files import writing
from nic.cli.common.temporary import remove_stale, wait_for_others
from nic.format.records import Stage

YEAR_2001 = 978_307_200  # seconds since 1970


@pytest.fixture
def packed(png, tmp_path):
    """A .nic file."""
    assert invoke("compress", png).code == 0
    return tmp_path / "a.nic"


# -- --rm --------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_device_as_output_leaves_the_source(png, packed, jobs):
    other = png.with_name("b.png")
    other.write_bytes(png.read_bytes())
    assert invoke("compress", "--rm", "-o", "/dev/null", png).code == 0
    assert invoke("decompress", "--rm", "--format", "png", "-o", "/dev/null", packed).code == 0
    assert png.exists()
    assert packed.exists()


def test_a_named_pipe_as_output_leaves_the_source(png, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = start("nic", "compress", "--rm", "-o", fifo, png)
    assert from_bytes(fifo.read_bytes()).stage == Stage.PACKED
    assert process.communicate()[1] == b""
    assert png.exists()


def test_a_link_to_a_device_as_output_leaves_the_source(png, tmp_path):
    (tmp_path / "link").symlink_to("/dev/null")
    assert invoke("compress", "--rm", "-o", tmp_path / "link", png).code == 0
    assert png.exists()


# -- one operand among others ------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_operand_that_cannot_be_read_stops_no_other(png, tmp_path, jobs):
    secret = tmp_path / "secret.png"
    secret.write_bytes(png.read_bytes())
    secret.chmod(0)
    result = run("nic", "compress", "-j", jobs, secret, tmp_path / "none.png", png)
    assert (tmp_path / "a.nic").exists()
    if os.geteuid():
        assert result.code == 1
        assert "secret.png: Permission denied" in result.err
    assert "none.png: No such file" in result.err


@pytest.mark.parametrize("command", ["compress", "test", "info", "decompress"])
def test_names_are_not_tried_before_the_work(png, packed, tmp_path, monkeypatch, command):
    """As root may read everything, the system says here that nothing is readable."""
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    sound = png if command == "compress" else packed
    result = invoke(command, tmp_path / "none", sound, *(["-f"] if "compress" in command else []))
    assert result.code == 1
    assert "none: No such file" in result.err
    assert "not readable" not in result.err


def test_info_goes_on_after_a_bad_file(packed, png, tmp_path):
    result = invoke("info", tmp_path / "none.nic", png, packed)
    assert result.code == 3
    assert result.err.count("\n") == 2
    assert b"a.nic" in result.out


# -- mode and time -----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o600, 0o444, 0o664])
@pytest.mark.parametrize("jobs", [1, 2])
def test_mode_and_modification_time_are_those_of_the_source(png, tmp_path, mode, jobs):
    other = tmp_path / "b.png"
    other.write_bytes(png.read_bytes())
    for path in (png, other):
        path.chmod(mode)
        os.utime(path, (YEAR_2001, YEAR_2001))
    assert run("nic", "compress", "-j", jobs, png, other).code == 0
    for path in (tmp_path / "a.nic", tmp_path / "b.nic"):
        assert (path.stat().st_mode & 0o777, path.stat().st_mtime) == (mode, YEAR_2001)
    back = tmp_path / "back.png"
    assert invoke("decompress", tmp_path / "a.nic", "-o", back).code == 0
    assert (back.stat().st_mode & 0o777, back.stat().st_mtime) == (mode, YEAR_2001)


def test_what_comes_from_stdin_is_a_new_file(png, tmp_path):
    before = os.umask(0o027)
    try:
        with png.open("rb") as file:
            assert run("nic", "compress", "-o", tmp_path / "new.nic", stdin=file).code == 0
    finally:
        os.umask(before)
    assert (tmp_path / "new.nic").stat().st_mode & 0o777 == 0o640
    assert abs((tmp_path / "new.nic").stat().st_mtime - time.time()) < 600


def test_special_bits_of_the_mode_are_not_given_on(png, tmp_path):
    png.chmod(0o6755)
    assert invoke("compress", png).code == 0
    assert (tmp_path / "a.nic").stat().st_mode & 0o7777 == 0o755


# -- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [237, 238, 242, 251])
def test_a_name_may_be_as_long_as_the_file_system_allows(png, tmp_path, length):
    """The temporary file beside it has a name too."""
    for stem in ("n" * length, "\N{LATIN SMALL LETTER E WITH ACUTE}" * (length // 2)):
        source = png.rename(tmp_path / f"{stem}.png")
        result = invoke("compress", "--rm", source)
        assert (result.code, result.err) == (0, "")
        result = invoke("decompress", "--rm", tmp_path / f"{stem}.nic")
        assert (result.code, result.err) == (0, "")
        assert [path.name for path in tmp_path.iterdir()] == [source.name]
        source.rename(png)


def test_a_name_that_is_too_long_is_one_line(png, tmp_path):
    target = tmp_path / ("n" * 252 + ".nic")
    assert_fails(invoke("compress", png, "-o", target), 1, "File name too long")
    source = png.rename(tmp_path / ("n" * 251 + ".png"))
    assert_fails(invoke("compress", "--suffix", ".nic", source), 1, "File name too long")
    assert list(tmp_path.iterdir()) == [source]


def test_temporary_files_of_long_names_are_removed_too(tmp_path):
    target = tmp_path / ("n" * 250)
    child = "import sys\nfrom nic.cli.common.files import writing\n" \
            "with writing(sys.argv[1]) as out:\n    out.write(b'x'); out.flush()\n" \
            "    import os; os._exit(0)"  # fmt: skip
    subprocess.run([sys.executable, "-c", child, target], cwd=tmp_path, check=True)
    assert len(list(tmp_path.iterdir())) == 1
    assert remove_stale([str(target)]) == 1
    assert not list(tmp_path.iterdir())


def test_a_suffix_keeps_both_of_two_pictures(tmp_path, pixels):
    for name in ("a.png", "a.bmp"):
        Image.fromarray(pixels).save(tmp_path / name)
    files = (tmp_path / "a.png", tmp_path / "a.bmp")
    assert_fails(invoke("compress", *files), 2, "several inputs", "see --suffix")
    result = invoke("compress", "--rm", "-S", ".nic", *files)
    assert (result.code, result.err) == (0, "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.bmp.nic", "a.png.nic"]
    result = invoke("decompress", tmp_path / "a.bmp.nic", tmp_path / "a.png.nic")
    assert (result.code, result.err) == (0, "")
    assert (tmp_path / "a.bmp.png").exists()
    assert (tmp_path / "a.png.png").exists()


def test_a_suffix_with_folders(tmp_path, pixels):
    (tmp_path / "in/sub").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    Image.fromarray(pixels).save(tmp_path / "in/sub/a.png")
    words = ("-r", "--suffix", ".small.nic", "--output-dir", tmp_path / "out", tmp_path / "in")
    assert invoke("compress", *words).code == 0
    assert (tmp_path / "out/sub/a.png.small.nic").exists()
    assert_fails(invoke("compress", "--suffix", "", "-r", tmp_path / "in"), 2, "ending of file")
    assert_fails(invoke("compress", "--suffix", "x/y", "-r", tmp_path / "in"), 2, "ending of file")


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_other_names_of_stdin_are_a_dash(png, name):
    """Whether it is a pipe or a file: the output goes to stdout."""
    data = png.read_bytes()
    expected = run("nic", "compress", "-", data=data).out
    assert run("nic", "compress", name, data=data).out == expected
    with png.open("rb") as file:
        result = run("nic", "compress", name, stdin=file)
    assert (result.code, result.err, result.out) == (0, "", expected)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_other_names_of_stdout_are_a_dash(png, tmp_path, name):
    """Even where stdout is a file, which then stands at that name."""
    expected = run("nic", "compress", "-", data=png.read_bytes()).out
    for force in ((), ("-f",)):
        with (tmp_path / "out").open("wb") as file:
            result = run("nic", "compress", *force, "-o", name, png, stdout=file)
        assert (result.code, result.err) == (0, "")
        assert (tmp_path / "out").read_bytes() == expected


def test_a_list_of_files_may_come_from_dev_stdin(png, tmp_path):
    result = run("nic", "compress", "--filelist", "/dev/stdin", data=os.fsencode(png) + b"\n")
    assert (result.code, result.err) == (0, "")
    assert (tmp_path / "a.nic").exists()


# -- what is larger than before ----------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_larger_than_its_source_is_noted(tmp_path, png, jobs):
    source = tmp_path / "noise.jpg"
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(source, quality=5)
    result = run("nic", "compress", "-q", "100", "-j", jobs, source, png)
    size = (tmp_path / "noise.nic").stat().st_size
    expected = f"larger than its source: {size} bytes, not {source.stat().st_size}"
    assert (result.code, result.err) == (0, f"nic: note: {source}: the new file is {expected}\n")


# -- two calls at once -------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_two_calls_that_skip_what_exists_share_the_work(tmp_path, pixels, jobs):
    names = [f"{number:02}" for number in range(12)]
    for name in names:
        Image.fromarray(np.roll(pixels, int(name), 0)).save(tmp_path / f"{name}.png")
    words = ("compress", "-r", "-v", "--skip-existing", "--rm", "-j", jobs, tmp_path)
    calls = [start("nic", *words) for _ in range(2)]
    results = [call.communicate(timeout=300) for call in calls]
    assert [call.returncode for call in calls] == [0, 0], results
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{name}.nic" for name in names]


def test_who_skips_waits_for_who_is_at_work(tmp_path, png):
    """And does the work itself if the other fails."""
    target = tmp_path / "a.nic"
    entered, go = threading.Event(), threading.Event()

    def other(fails):
        try:
            with writing(str(target)) as out:
                out.write(b"of the other")
                entered.set()
                go.wait(60)
                if fails:
                    raise ValueError
        except ValueError:
            pass

    for fails in (True, False):
        entered.clear()
        go.clear()
        thread = threading.Thread(target=other, args=(fails,))
        thread.start()
        entered.wait(60)
        process = start("nic", "compress", "--skip-existing", png)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)
        go.set()
        thread.join()
        assert process.communicate(timeout=60)[1] == b""
        assert process.returncode == 0
        assert (target.read_bytes() == b"of the other") is not fails
        target.unlink()


def test_waiting_for_nobody_takes_no_time(tmp_path):
    wait_for_others(str(tmp_path / "none" / "a.nic"))
    (tmp_path / ".a.nic.12345678.tmp").write_bytes(b"of a killed process")
    wait_for_others(str(tmp_path / "a.nic"))


# -- names that are not text -------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_names_that_are_not_utf_8_come_out_as_they_are(tmp_path, png, jobs):
    name = os.fsencode(tmp_path) + b"/caf\xe9.png"
    with open(name, "wb") as file:
        file.write(b"no picture")
    words = [program("nic"), "compress", "-j", str(jobs), name, png]
    done = subprocess.run(words, capture_output=True)
    assert done.returncode == 3
    assert done.stderr.startswith(b"nic-compress: " + name + b": this is not a picture")


def test_info_prints_names_that_are_not_utf_8(tmp_path, packed):
    name = os.fsencode(tmp_path) + b"/\xff\xfe.nic"
    os.rename(packed, name)
    done = subprocess.run([program("nic"), "info", name], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert name in done.stdout
