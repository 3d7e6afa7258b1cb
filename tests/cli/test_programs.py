"""The installed programs as a person uses them: pipelines, files, terminals and full disks."""

import io
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from programs import PROGRAMS, assert_fails, invoke, pipe, program, run, start
from records import from_bytes

from nic import __version__
from nic.cli.main import COMMANDS
from nic.format.records import read_records

TOOLS = {  # program -> the stage it takes, and the stage or file it makes
    "nic-quantize": ("latents", "symbols"),
    "nic-entropy": ("symbols", "coded"),
    "nic-pack": ("coded", "packed"),
}
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")


@pytest.fixture
def files(stages, tmp_path):
    """Paths of files of every stage, by stage."""
    for name, data in stages.items():
        (tmp_path / f"a.{name}").write_bytes(data)
    return {name: tmp_path / f"a.{name}" for name in stages}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_says_its_version_and_its_help(name):
    version, usage = run(name, "--version"), run(name, "--help")
    assert version.out.decode() == f"{name} {__version__}\n"
    assert (version.code, version.err, usage.code, usage.err) == (0, "", 0, "")
    assert usage.out.decode().startswith(f"Usage: {name} ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name):
    result = invoke(name, "--help")
    text = result.out.decode()
    assert result.code == 0
    assert text.startswith(f"Usage: nic {name} ")
    assert "Examples:\n" in text
    assert "See also:" in text


@pytest.mark.parametrize(("tool", "stages_of"), TOOLS.items())
def test_a_pipe_and_a_file_give_the_same_bytes(files, stages, tmp_path, tool, stages_of):
    """The bytes of the library, wherever they come from and go to."""
    before, after = stages_of
    by_file = run(tool, files[before])
    assert (by_file.code, by_file.err) == (0, "")
    assert by_file.out == stages[after]
    assert pipe(stages[before], [tool]) == stages[after]
    assert pipe(stages[before], [tool, "-", "-o", "-"]) == stages[after]
    assert run(tool, files[before], "-o", tmp_path / "out").out == b""
    assert (tmp_path / "out").read_bytes() == stages[after]


def test_encoding_from_a_pipe_and_a_file_gives_the_same_bytes(png, stages):
    by_file = run("nic-encode", "--name", "small", png)
    assert by_file.out == stages["latents"]
    assert pipe(png.read_bytes(), ["nic-encode", "--name", "small"]) == stages["latents"]


@pytest.mark.parametrize("stage", ["latents", "symbols", "coded", "packed"])
def test_decoding_from_a_pipe_and_a_file_gives_the_same_bytes(codec, files, stages, stage):
    by_file = run("nic-decode", files[stage])
    assert by_file.err == ""
    assert pipe(stages[stage], ["nic-decode"]) == by_file.out
    expected = codec.decode(from_bytes(stages[stage])).pixels
    assert np.array_equal(np.array(Image.open(io.BytesIO(by_file.out))), expected)


def test_two_programs_make_a_file(codec, png, pixels):
    """nic-encode < a.png | nic-entropy > a.nic; nic-decode < a.nic > b.png"""
    whole = pipe(png.read_bytes(), ["nic-encode"], ["nic-entropy"], ["nic-decode"])
    assert np.array(Image.open(io.BytesIO(whole))).shape == pixels.shape


def test_all_programs_separately_equal_the_umbrella(png):
    data = png.read_bytes()
    separate = pipe(data, ["nic-encode"], ["nic-quantize", "-q", "70"], ["nic-entropy"],
                    ["nic-pack"])  # fmt: skip
    umbrella = pipe(data, ["nic", "encode"], ["nic", "quantize", "-q", "70"], ["nic", "entropy"],
                    ["nic", "pack"])  # fmt: skip
    assert separate == umbrella
    assert separate == pipe(data, ["nic-encode", "-q", "70"], ["nic-pack"])
    assert separate == pipe(data, ["nic", "compress", "-q", "70"])
    pictures = [pipe(separate, words) for words in (["nic-decode"], ["nic", "decompress"])]
    assert pictures[0] == pictures[1]


def test_a_shell_pipeline_runs_with_all_programs_at_once(png, tmp_path):
    line = "nic-encode < a.png | nic-quantize -q 20 | nic-entropy | nic-pack > a.nic"
    environment = os.environ | {"PATH": f"{Path(program('nic')).parent}:{os.environ['PATH']}"}
    result = subprocess.run(line, shell=True, cwd=tmp_path, env=environment, capture_output=True)
    assert (result.returncode, result.stderr) == (0, b"")
    assert from_bytes((tmp_path / "a.nic").read_bytes()).header.quality == 20


def test_quality_is_the_quantizers_so_latents_serve_all(files, png):
    """nic quantize -q on saved latents gives what encoding at that quality gives."""
    for quality in (20, 80.5):
        late = invoke("quantize", "-q", quality, files["latents"]).out
        early = invoke("encode", "-q", quality, png).out
        packed = [invoke("pack", data=data).out for data in (late, early)]
        assert packed[0] == packed[1]
        assert from_bytes(packed[0]).header.quality == quality


def test_several_records_on_one_stream_are_all_processed(stages):
    both = stages["latents"] + stages["symbols"]
    packed = pipe(both, ["nic-pack"])
    assert packed == 2 * stages["packed"]
    pictures = pipe(packed, ["nic-decode", "--format", "ppm"])
    assert pictures == 2 * pipe(stages["packed"], ["nic-decode", "--format", "ppm"])


def test_several_files_become_several_records(png, tmp_path, pixels):
    other = tmp_path / "b.png"
    Image.fromarray(pixels[:9, :11]).save(other)
    data = pipe(png.read_bytes(), ["nic-encode", str(other), "-", str(png)])
    sizes = [(r.header.width, r.header.height) for r in read_records(io.BytesIO(data))]
    assert sizes == [(11, 9), (52, 45), (52, 45)]


@pytest.mark.parametrize("tool", [*TOOLS, "nic-encode", "nic-decode"])
def test_an_existing_file_is_kept_without_force(files, png, tmp_path, tool):
    source = {"nic-encode": png, "nic-decode": files["packed"]}.get(tool)
    source = source or files[TOOLS[tool][0]]
    target = tmp_path / "kept.png"
    target.write_bytes(b"precious")
    result = invoke(tool.removeprefix("nic-"), source, "-o", target)
    assert_fails(result, 1, "kept.png exists already", "-f")
    assert target.read_bytes() == b"precious"
    result = invoke(tool.removeprefix("nic-"), source, "-f", "-o", target)
    assert (result.code, result.err, result.out) == (0, "", b"")
    assert target.read_bytes() != b"precious"
    assert not list(tmp_path.glob(".kept*"))


def test_a_new_file_has_the_permissions_of_any_new_file(files, tmp_path):
    target = tmp_path / "a.nic"
    old = os.umask(0o027)
    try:
        assert run("nic-pack", files["coded"], "-o", target).code == 0
    finally:
        os.umask(old)
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_failure_leaves_neither_the_output_nor_a_part_of_it(stages, tmp_path):
    target = tmp_path / "a.nic"
    result = run("nic-pack", "-o", target, data=stages["coded"] + stages["coded"][:99])
    assert_fails(result, 3, "stdin: truncated")
    assert not list(tmp_path.iterdir())


def test_a_failure_with_force_leaves_the_old_file(stages, tmp_path):
    target = tmp_path / "a.nic"
    target.write_bytes(b"precious")
    assert_fails(invoke("pack", "-f", "-o", target, data=stages["coded"][:-1]), 3)
    assert target.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_output_file(stages, tmp_path, end):
    """Not even a temporary one."""
    process = start("nic-pack", "-o", tmp_path / "a.nic")
    process.stdin.write(stages["coded"])
    process.stdin.flush()
    for _ in range(400):  # until it has started to write
        if list(tmp_path.iterdir()):
            break
        time.sleep(0.05)
    process.send_signal(end)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["nic-encode", *TOOLS, "nic-decode"])
def test_binary_data_is_not_written_to_a_terminal(name):
    """Nor is anything read first."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    try:
        result = run(name, stdout=theirs, stdin=subprocess.DEVNULL)
    finally:
        os.close(theirs)
        os.close(ours)
    assert_fails(result, 2, "not writing binary data to a terminal", "-o FILE")


def test_a_dash_as_output_insists_on_the_terminal(files):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    try:
        result = run("nic-pack", files["coded"], "-o", "-", stdout=theirs)
        assert (result.code, result.err) == (0, "")
        assert os.read(ours, 4) == b"\x89NIC"
    finally:
        os.close(theirs)
        os.close(ours)


@pytest.mark.parametrize("words", [["nic-decode", "--format", "ppm"], ["nic", "info"]])
def test_a_reader_that_goes_away_ends_the_writer_quietly(stages, tmp_path, words):
    """nic-decode big.nic | head -c 10: far more is written than a pipe holds."""
    big = tmp_path / "big.nic"
    big.write_bytes(400 * stages["packed"])
    process = start(*words, big)
    assert len(process.stdout.read(10)) == 10
    process.stdout.close()
    process.stdin.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == -signal.SIGPIPE


@needs_full
@pytest.mark.parametrize(
    "words", ["nic --help", "nic --version", "nic decode --help", "nic-pack --help", "nic models"]
)
def test_a_full_disk_is_one_line_for_what_is_read_by_people_too(words):
    name, *args = words.split()
    with open("/dev/full", "wb") as full:
        result = run(name, *args, stdout=full)
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert result.err.startswith("nic")
    assert result.err.endswith(": No space left on device\n")


@needs_full
@pytest.mark.parametrize("tool", TOOLS)
def test_a_full_disk_is_one_line(files, tool):
    source = files[TOOLS[tool][0]]
    with open("/dev/full", "wb") as full:
        assert_fails(run(tool, source, stdout=full), 1, "No space left")
    assert_fails(invoke(tool.removeprefix("nic-"), source, "-o", "/dev/full"), 1, "No space left")


@needs_full
@pytest.mark.parametrize(
    ("words", "stage"), [(["nic-decode"], "packed"), (["nic", "info"], "coded")]
)
def test_a_full_disk_is_one_line_for_readers_too(files, words, stage):
    with open("/dev/full", "wb") as full:
        assert_fails(run(*words, files[stage], stdout=full), 1, "No space left")


@pytest.mark.parametrize("closed", [0, 1])
def test_a_closed_stdin_or_stdout_is_one_line(closed):
    line = f'exec "$0" {closed}>&-'
    result = subprocess.run(["sh", "-c", line, program("nic-pack")], capture_output=True)
    assert result.returncode == 1
    assert result.stderr.decode() == f"nic-pack: {('stdin', 'stdout')[closed]}: closed\n"


def test_a_named_pipe_is_written_in_place(files, stages, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = start("nic-pack", files["coded"], "-o", fifo)
    assert fifo.read_bytes() == stages["packed"]
    assert process.communicate()[1] == b""
    assert fifo.is_fifo()


def test_the_format_of_a_decoded_picture_is_that_of_its_name(files, tmp_path):
    for suffix, name in (("tiff", "TIFF"), ("jpg", "JPEG"), ("pnm", "PPM"), ("webp", "WEBP")):
        target = tmp_path / f"b.{suffix}"
        assert invoke("decode", files["packed"], "-o", target).code == 0
        assert Image.open(target).format == name
    assert Image.open(io.BytesIO(invoke("decode", files["packed"]).out)).format == "PNG"
    target = tmp_path / "odd.dat"
    assert invoke("decode", "--format", "bmp", files["packed"], "-o", target).code == 0
    assert Image.open(target).format == "BMP"


def test_two_pictures_do_not_fit_one_file(stages, tmp_path):
    target = tmp_path / "b.png"
    result = invoke("decode", "-o", target, data=2 * stages["packed"])
    assert_fails(result, 2, "more than one picture")
    assert not target.exists()


def test_quiet_and_verbose(tmp_path, pixels):
    """A note goes to stderr; --quiet silences it, and errors remain."""
    moving = tmp_path / "moving.png"
    frame = Image.fromarray(pixels)
    frame.save(moving, save_all=True, append_images=[frame.rotate(180)])
    loud, quiet = run("nic-encode", moving), run("nic-encode", "--quiet", moving)
    assert loud.err == f"nic: note: {moving}: only the first of several frames is coded\n"
    assert quiet.err == ""
    assert loud.out == quiet.out
    assert_fails(invoke("encode", "--quiet", tmp_path / "none.png"), 1, "No such file")


@pytest.mark.parametrize(
    "words",
    [
        ["nic", "nosuch"],
        ["nic-encode", "--nosuch"],
        ["nic-quantize", "-q", "0"],
        ["nic-quantize", "-q", "101"],
        ["nic-quantize", "-q", "high"],
        ["nic-quantize", "--channels", "0"],
        ["nic-decode", "--format", "gif"],
        ["nic-encode", "--backend", "caffe"],
    ],
)
def test_a_wrong_option_is_a_usage_error(words):
    name, *args = words
    result = invoke(*([name.removeprefix("nic-")] if name != "nic" else []), *args)
    assert (result.code, result.out) == (2, b"")
    assert result.err.startswith("nic")
    assert result.err.count("\n") == 1


def test_umbrella_without_a_command_shows_its_help():
    result = run("nic")
    assert result.code == 2
    assert all(f"  {name} " in result.err + result.out.decode() for name in COMMANDS)


def test_channels_asked_for_at_either_end_are_the_channels_coded(files, png):
    early = pipe(png.read_bytes(), ["nic", "encode", "--channels", "16"], ["nic", "pack"])
    late = pipe(files["latents"].read_bytes(), ["nic", "quantize", "--channels", "16"],
                ["nic", "pack"])  # fmt: skip
    assert early == late
    assert json.loads(invoke("info", "--json", data=early).out)["channels"] == 16
