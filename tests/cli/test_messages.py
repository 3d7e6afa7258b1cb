"""What programs say: one line for every failure, which names what it is about."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from programs import assert_fails, invoke, run, start

from nic.cli.batch.inputs import PICTURES

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
FIRST = "only the first of several frames is coded"


@pytest.fixture
def moving(tmp_path):
    """Two pictures about which there is something to note."""
    paths = [tmp_path / f"{name}.png" for name in "ab"]
    for path in paths:
        frames = [Image.fromarray(np.full((8, 8), grey, np.uint8)) for grey in (10, 90)]
        frames[0].save(path, save_all=True, append_images=frames[1:])
    return paths


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("nic", "compress", "-q", "0"), "'0': give a number, from 1 to 100"),
        (("nic", "compress", "--nonsense"), "No such option"),
        (("nic", "truncate"), "Missing option"),
        (("nic", "test", "--max-pixels", "many"), "not a number of pixels"),
        (("nic-entropy", "--coder", "lzw"), "'lzw' is not one of"),
    ],
)
def test_a_bad_command_line_is_one_line(words, complaint):
    assert_fails(run(*words), 2, complaint)


def test_an_unknown_command_is_one_line():
    result = run("nic", "squeeze")
    assert (result.code, result.err) == (2, "nic: No such command 'squeeze'.\n")


def test_nic_alone_shows_its_help():
    result = run("nic")
    assert result.code == 2
    assert "decompress" in result.err


@pytest.mark.parametrize("jobs", [1, 2])
def test_notes_name_the_picture(moving, jobs):
    result = run("nic", "compress", "-j", jobs, *moving)
    assert result.code == 0
    assert result.err == "".join(f"nic: note: {path}: {FIRST}\n" for path in moving)


def test_notes_on_what_is_decoded_name_the_file(tmp_path):
    samples = np.full((8, 8, 4), 90, np.uint8)
    Image.fromarray(samples).save(tmp_path / "glass.png")
    path = tmp_path / "glass.nic"
    assert invoke("compress", tmp_path / "glass.png").code == 0
    assert invoke("decode", "--format", "ppm", path).err.startswith(f"nic: note: {path}: ppm ")


def test_a_pgm_of_a_transparent_colour_picture_fails_in_one_line(tmp_path):
    Image.fromarray(np.full((8, 8, 4), 90, np.uint8)).save(tmp_path / "glass.png")
    packed = invoke("compress", "-o", "-", tmp_path / "glass.png").out
    assert_fails(invoke("decode", "--format", "pgm", data=packed), 2, "write a PPM")


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_a_file_that_would_be_its_own_output(tmp_path, command):
    """Nobody is advised to use -f there."""
    path = tmp_path / {"compress": "a.nic", "decompress": "a.png"}[command]
    path.write_bytes(b"precious")
    result = invoke(command, path)
    assert_fails(result, 2, f"{path.name}: the output would have the same name; use -o")
    assert path.read_bytes() == b"precious"


@needs_full
def test_a_full_output_is_named(png, stages):
    with open("/dev/full", "wb") as full:
        result = run("nic", "compress", "-o", "-", png, stdout=full)
        assert (result.code, result.err) == (1, "nic-compress: stdout: No space left on device\n")
    result = invoke("pack", "-o", "/dev/full", data=stages["coded"])
    assert (result.code, result.err) == (1, "nic-pack: /dev/full: No space left on device\n")


def test_an_interrupt_ends_a_program_like_any_other(tmp_path):
    """By the signal, so that a shell ends its loop, and without a word."""
    process = start("nic-pack", "-o", tmp_path / "a.nic")
    for _ in range(400):  # until it waits for its input
        if list(tmp_path.iterdir()):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (-signal.SIGINT, b"")
    assert not os.listdir(tmp_path)


def test_what_cannot_be_read_is_not_searched_for():
    assert "npy" not in PICTURES
    assert {"pam", "png", "tga"} <= PICTURES
