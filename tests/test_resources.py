"""What a process may use of the machine: processors, and memory with its limits."""

import os
import re
from pathlib import Path

import pytest

from nic import resources
from nic.cli.compress import main as compress
from nic.resources import cores, free_memory

ROOT = Path(__file__).parents[1]
VERSION_2 = ("memory.max", "memory.current", "memory.stat", "inactive_file")
VERSION_1 = ("limit_in_bytes", "usage_in_bytes", "stat", "total_inactive_file")


@pytest.fixture
def control_groups(tmp_path, monkeypatch):
    """The folder of control groups, still empty, of a machine that says nothing else."""
    monkeypatch.setattr(resources, "MEMINFO", tmp_path / "none")
    monkeypatch.setattr(resources, "CONTROL_GROUPS", tmp_path)
    monkeypatch.setattr(resources, "_of_process", lambda: None)
    return tmp_path


def limit(folder, version, most, used, cache=None):
    """Write the files of a control group as the kernel shows them."""
    names = version[:3]
    if version is VERSION_1:
        folder = folder / "memory"
        folder.mkdir()
        names = [f"memory.{name}" for name in names]
    (folder / names[0]).write_text(f"{most}\n")
    (folder / names[1]).write_text(f"{used}\n")
    if cache is not None:
        other = "total_inactive_anon 9\ninactive_file_x 9\nactive_file 9\n"
        (folder / names[2]).write_text(f"{other}{version[3]} {cache}\nunevictable 9\n")


@pytest.mark.parametrize("version", [VERSION_2, VERSION_1])
@pytest.mark.parametrize(
    ("most", "used", "cache", "free"),
    [
        (1_000_000, 5000, None, 995_000),
        (1_000_000, 900_000, 850_000, 950_000),  # small pictures were refused here
        (1_000_000, 900_000, 950_000, 1_000_000),  # the numbers are not read at one moment
        (700, 900, 0, 0),
    ],
)
def test_cache_that_can_be_given_up_is_free(control_groups, version, most, used, cache, free):
    limit(control_groups, version, most, used, cache)
    assert free_memory() == free


def test_a_control_group_without_limit(control_groups):
    limit(control_groups, VERSION_2, "max", 5000, 4000)
    assert free_memory() is None


def test_free_memory_is_the_least_that_anything_allows(control_groups, tmp_path, monkeypatch):
    assert free_memory() is None
    info = tmp_path / "meminfo"
    info.write_text("MemTotal:       16000000 kB\nMemAvailable:    3000000 kB\n")
    monkeypatch.setattr(resources, "MEMINFO", info)
    assert free_memory() == 3_000_000 * 1024
    limit(control_groups, VERSION_2, 1_000_000, 5000)
    assert free_memory() == 995_000
    monkeypatch.setattr(resources, "_of_process", lambda: -1)
    assert free_memory() == -1


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no such call on this system")
def test_all_processors_are_those_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 3, 5})
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert cores() == 3
    params = compress.make_context("nic-compress", ["-T", "0", "-j", "0"]).params
    assert (params["threads"], params["jobs"]) == (3, 3)


def test_processors_are_counted_in_one_place():
    counting = re.compile(r"cpu_count|sched_getaffinity")
    sources = [
        path for folder in ("nic", "cli", "models") for path in (ROOT / folder).rglob("*.py")
    ]
    found = [path.name for path in sources if counting.search(path.read_text(encoding="utf-8"))]
    assert found == ["resources.py"]
