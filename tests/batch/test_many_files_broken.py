"""Many pictures when something goes wrong: killed processes, full disks, bad folders."""

import os
import random
import resource
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from programs import assert_fails, program, run, start
from records import from_bytes

from nic.codec import Codec
from nic.format.records import Stage

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes by /proc")


def make_pictures(folder, count, side):
    """Pictures in two folders; what they show depends on their number."""
    for number in range(count):
        path = folder / f"{number % 2}" / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 256, (side // 8, side // 8, 3), np.uint8)
        Image.fromarray(pixels.repeat(8, axis=0).repeat(8, axis=1)).save(path, compress_level=0)
    return folder


@pytest.fixture
def photos(tmp_path):
    return make_pictures(tmp_path / "photos", 12, 240)


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def made(folder):
    return sorted(path for path in folder.rglob("*") if not path.is_dir())


def whole(folder):
    """The files of ``made`` that have their final name."""
    return [path for path in made(folder) if path.suffix == ".nic"]


def children(pid):
    """Process ids of the workers of a process, the first one first."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
    return sorted(found)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.005)


def assert_sound(folder, count):
    """As many files as pictures, nothing else, and each of them decodes."""
    files = made(folder)
    assert [path.suffix for path in files] == [".nic"] * count, files
    codec = Codec()
    for path in files:
        record = from_bytes(path.read_bytes())
        assert record.stage == Stage.PACKED
        codec.to_symbols(record)


def quiet(*args):
    """A program on its way, in a group of its own as a shell starts it."""
    return start("nic", *args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                 start_new_session=True)  # fmt: skip


# -- killed -----------------------------------------------------------------------------------


def kill_again_and_again(photos, out, count, kills, seed):
    """Kill a batch at random moments, each time going on where it was; then let it finish."""
    rng = random.Random(seed)
    arguments = ("compress", "-r", "--skip-existing", "--output-dir", out, photos)
    in_vain = 0
    for _ in range(kills):
        process = quiet(*arguments, "-j", rng.choice((1, 2)))
        before, some = len(whole(out)), rng.randrange(max(2, count // kills))
        wait_for(lambda p=process, n=before + some: p.poll() is not None or len(whole(out)) > n)
        time.sleep(rng.random() * 0.05)
        in_vain += process.poll() is None
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    result = run("nic", *arguments, "-j", "2")
    assert (result.code, result.err) == (0, "")
    assert_sound(out, count)
    return in_vain


def test_a_killed_batch_goes_on(photos, out):
    assert kill_again_and_again(photos, out, count=12, kills=3, seed=1)


@pytest.mark.skipif("NIC_LONG_TESTS" not in os.environ, reason="minutes; set NIC_LONG_TESTS")
@pytest.mark.parametrize("seed", [1, 2])
def test_a_large_batch_goes_on_after_many_kills(tmp_path, out, seed):
    photos = make_pictures(tmp_path / "many", 100, 480)
    assert kill_again_and_again(photos, out, count=100, kills=20, seed=seed) > 10


def test_a_killed_worker_costs_its_picture_alone(photos, out):
    # A pipe without a writer holds its worker for as long as we like.
    os.mkfifo(photos / "held")
    process = quiet("compress", "-j", "2", "--output-dir", out, photos / "held", *made(photos)[:-1])
    wait_for(lambda: len(whole(out)) == 12)  # the other worker does all the rest
    os.kill(children(process.pid)[0], signal.SIGKILL)
    err = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 1
    assert err.count("\n") == 1
    assert "held: the process that worked on it was killed (SIGKILL)" in err
    assert_sound(out, 12)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 143)]
)
def test_an_interrupt_stops_everything_and_leaves_whole_files(tmp_path, out, jobs, number, code):
    photos = make_pictures(tmp_path / "photos", 60, 480)
    process = quiet("compress", "-r", "-j", jobs, "--output-dir", out, photos)
    wait_for(lambda: len(whole(out)) > 3)
    workers = children(process.pid)
    assert len(workers) == (jobs if jobs > 1 else 0)
    asked = time.monotonic()
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    err = process.communicate(timeout=60)[1].decode()
    assert time.monotonic() - asked < 10
    assert process.returncode == code
    assert "Traceback" not in err
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert 3 < len(made(out)) < 60
    assert_sound(out, len(made(out)))


# -- no room, no rights -----------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_costs_what_does_not_fit(photos, out, tmp_path, jobs):
    """A limit of the size of files, which every process inherits, stands for it."""
    save = tmp_path / "flat.png"
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(save)  # some bytes, which fit
    large = [photos / "0/000.png", photos / "1/001.png"]
    process = subprocess.Popen(
        [program("nic"), "compress", "-j", str(jobs), "--rm", "--output-dir", out, save, *large],
        stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400)),
    )
    err = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 1
    assert err.count("\n") == 2
    assert err.count("File too large") == 2
    assert [path.name for path in made(out)] == ["flat.nic"]
    assert all(path.exists() for path in large)
    assert not save.exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_device_is_one_line(photos):
    result = run("nic", "compress", "-o", "/dev/full", photos / "0/000.png")
    assert_fails(result, 1, "No space left")


def test_a_small_file_system_loses_nothing(photos, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", small]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        result = run("nic", "compress", "-r", "-j", "2", "--rm", "--output-dir", small, photos)
        assert result.code == 1
        assert 0 < result.err.count("No space left") == result.err.count("\n") < 12
        whole = made(small)
        assert len(whole) + len(made(photos)) == 12
        assert_sound(small, len(whole))
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_closed_stdout_is_one_line(photos):
    result = run("nic", "compress", data=(photos / "0/000.png").read_bytes(), stdout=None,
                 preexec_fn=lambda: os.close(1))  # fmt: skip
    assert_fails(result, 1, "stdout: closed")


@pytest.mark.parametrize("jobs", [1, 2])
def test_inputs_that_cannot_be_read_cost_themselves(photos, out, tmp_path, jobs):
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
    bad = [tmp_path / "dangling.png", tmp_path / "none.png", photos]
    files = [bad[0], photos / "0/000.png", bad[1], photos / "1/001.png", bad[2]]
    result = run("nic", "compress", "-j", jobs, "--output-dir", out, *files)
    assert result.code == 2  # the gravest: a directory is a wrong call
    lines = result.err.splitlines()
    assert [line.split(": ")[1] for line in lines] == [str(path) for path in bad]
    assert_sound(out, 2)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_where_a_folder_has_to_be_costs_what_goes_there(photos, out, jobs):
    (out / "1").write_text("in the way")
    result = run("nic", "compress", "-r", "-j", jobs, "--rm", "--output-dir", out, photos)
    assert result.code == 1
    assert result.err.count("\n") == 6
    assert all("out/1: " in line for line in result.err.splitlines())
    assert len(made(photos)) == 6
    (out / "1").unlink()
    assert_sound(out, 6)


def test_an_output_folder_that_is_read_only_is_one_line(photos, out):
    out.chmod(0o555)
    if os.access(out, os.W_OK):
        pytest.skip("root writes everywhere")
    result = run("nic", "compress", "--output-dir", out, photos / "0/000.png")
    assert_fails(result, 1, "cannot be created")
