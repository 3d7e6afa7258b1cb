"""nic compress and nic decompress --scheduler: a Dask cluster of two local workers."""

import os
import signal
import subprocess
import time

import numpy as np
import pytest
from PIL import Image
from programs import assert_fails, run, start
from records import from_bytes

COUNT = 40


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster") / "photos"
    for number in range(COUNT):
        path = folder / f"{number % 3}" / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (60, 60, 3), np.uint8)
        Image.fromarray(pixels.repeat(8, axis=0).repeat(8, axis=1)).save(path, compress_level=0)
    return folder


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def expected(photos, tmp_path_factory):
    """What one process makes of the pictures."""
    out = tmp_path_factory.mktemp("expected")
    assert run("nic", "compress", "-r", "--output-dir", out, photos).code == 0
    return files(out)


def test_a_killed_worker_loses_nothing(cluster, photos, expected, tmp_path):
    """Each file is what one process makes, and none is missing or in the way."""
    process = start("nic", "compress", "-r", "--scheduler", cluster.scheduler_address,
                    "--output-dir", tmp_path, photos, stdin=subprocess.DEVNULL)  # fmt: skip
    end = time.monotonic() + 60
    while len(files(tmp_path)) < COUNT // 4:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    worker = next(iter(cluster.workers.values()))
    os.kill(worker.process.pid, signal.SIGKILL)
    missing = COUNT - len(files(tmp_path))
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err.decode()) == (0, "")
    assert missing > 0
    assert files(tmp_path) == expected


def test_outcomes_are_those_of_one_process(cluster, photos, expected, tmp_path):
    """Failures in order, sources removed after success, what exists kept; also with -j."""
    (tmp_path / "bad.png").write_bytes(b"broken")
    some = sorted(photos.rglob("*.png"))[:4]
    for path in some:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "00.nic").write_bytes(b"precious")
    arguments = ("compress", "-r", "--rm", "--scheduler", cluster.scheduler_address)
    result = run("nic", *arguments, ".", cwd=tmp_path)
    assert result.code == 3
    assert [line.split(": ")[1] for line in result.err.splitlines()] == ["./00.png", "./bad.png"]
    assert (tmp_path / "00.nic").read_bytes() == b"precious"
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"bad.png", "00.png", *(path.with_suffix(".nic").name for path in some)}
    arguments = ("decompress", "--scheduler", cluster.scheduler_address)
    assert run("nic", *arguments, some[1].with_suffix(".nic").name, cwd=tmp_path).code == 0
    assert from_bytes((tmp_path / some[1].with_suffix(".nic").name).read_bytes())
    assert Image.open(tmp_path / some[1].name).size == (480, 480)


def test_no_scheduler_is_one_line(png):
    pytest.importorskip("distributed")
    environment = {**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"}
    address = "tcp://127.0.0.1:1"
    result = run("nic", "compress", "--scheduler", address, png, env=environment)
    assert_fails(result, 1, address, "no Dask scheduler")
    assert_fails(run("nic", "compress", "--scheduler", "udp://x", png), 2, "udp://x")
    assert not png.with_suffix(".nic").exists()


def test_streams_are_not_for_a_cluster(png):
    result = run("nic", "compress", "--scheduler", "tcp://127.0.0.1:1", data=png.read_bytes())
    assert_fails(result, 2, "stdin")


def test_without_dask_one_line_says_what_to_install(png, tmp_path):
    (tmp_path / "distributed.py").write_text("raise ImportError\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    result = run("nic", "compress", "--scheduler", "tcp://127.0.0.1:1", png, env=environment)
    assert_fails(result, 2, "nic-codec[dask]")
