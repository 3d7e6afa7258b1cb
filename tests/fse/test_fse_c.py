"""The C sources by themselves: strict compilers, damaged streams, and a long random comparison."""

import os
import shlex
import shutil
import subprocess
import sys

import pytest
from places import ROOT

SOURCES = sorted((ROOT / "fse").glob("*.c"))
STRICT = "-std=c11 -O2 -Wall -Wextra -Wconversion -Wsign-conversion -Wpedantic -Werror"


def run(*command, cwd=ROOT, **more):
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env={**os.environ, **more}
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout + done.stderr


@pytest.mark.parametrize("define", ["-DFUZZ_ENTRY", "-UFUZZ_ENTRY"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_warnings(compiler, define, tmp_path):
    """All sources, with and without libFuzzer's entry."""
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} here")
    sources = [str(path) for path in SOURCES if define[1] == "U" or path.stem == "fuzz"]
    assert run(compiler, *STRICT.split(), define, "-c", *sources, cwd=tmp_path) == ""


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_warnings_in_transforms_and_distortions(compiler, tmp_path):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} here")
    sources = sorted(map(str, (ROOT / "models" / "native").rglob("*.c")))
    strict = [*STRICT.split(), "-Wno-sign-conversion", "-ffp-contract=off"]
    assert run(compiler, *strict, "-c", *sources, cwd=tmp_path) == ""


def test_damaged_streams():
    """A short loop; under sanitisers where the compiler has them."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler here")
    told = run("scripts/fuzz", "7", "200", "0", CFLAGS="-O0")
    assert "damaged streams in 200 rounds" in told
    assert "transform_fuzz: 1 networks, digest" in told
    assert "distortion fuzz: 4 pictures, digest" in told
    kinds = [line for line in told.splitlines() if line.endswith("accepted")]
    assert len(kinds) == 8
    for line in kinds:
        streams, *_, accepted, _ = shlex.split(line)
        assert 600 < int(streams) <= 800
        assert 0 < int(accepted) < int(streams) / 3


def test_random_cases_agree_with_the_model():
    """The script that compares many."""
    told = run(sys.executable, "scripts/differential.py", "--cases", "100", "--seed", "1")
    assert told.endswith("\n0 differing bytes\n")
