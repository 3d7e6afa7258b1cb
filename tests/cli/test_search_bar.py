"""The bar of a search: on a terminal, for a single file that takes long, and nowhere else."""

import os

import pytest
from programs import run

pty = pytest.importorskip("pty", reason="this system has no pseudo terminals")


def stderr_of(*words):
    """What a program writes to stderr, which is a terminal."""
    ours, theirs = pty.openpty()
    try:
        done = run("nic", *words, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    finally:
        os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 1 << 16):
            shown += part
    except OSError:  # what a terminal gives at its end
        pass
    os.close(ours)
    assert done.code == 0, shown
    return shown.decode()


@pytest.mark.parametrize("command", ["compress", "encode"])
def test_a_search_shows_how_far_it_is(command, png, tmp_path):
    shown = stderr_of(command, "--effort", 2, png, "-o", tmp_path / "a.nic")
    assert "100%" in shown


def test_without_a_search_there_is_no_bar(png, tmp_path):
    assert stderr_of("compress", png, "-o", tmp_path / "a.nic") == ""


def test_many_files_have_one_bar_for_all(png, tmp_path):
    other = tmp_path / "b.png"
    other.write_bytes(png.read_bytes())
    (tmp_path / "out").mkdir()
    shown = stderr_of("compress", "--effort", 2, png, other, "--output-dir", tmp_path / "out")
    assert "2/2" in shown
    assert "%" not in shown
