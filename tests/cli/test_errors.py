"""Whatever goes wrong: the right exit code, one line, and nothing left behind."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from programs import assert_fails, invoke, run
from records import from_bytes, header, latents, to_bytes

from nic.format.index import Channel, Mode
from nic.format.records import Chunk, Record, Stage
from nic.models import zoo

TAKES = {"quantize": "latents", "entropy": "symbols", "pack": "coded", "decode": "packed"}
not_root = pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read and write everything"
)


@pytest.mark.parametrize("tool", ["encode", *TAKES, "info", "test", "compress", "decompress"])
def test_a_missing_file(tool, tmp_path):
    assert_fails(invoke(tool, tmp_path / "none.nic"), 1, "none.nic: No such file")


@pytest.mark.parametrize("tool", ["encode", *TAKES, "info"])
def test_a_folder_is_not_a_file(tool, tmp_path):
    assert_fails(invoke(tool, tmp_path), 1, "Is a directory")


@not_root
@pytest.mark.parametrize("tool", ["encode", "decode"])
def test_an_unreadable_file(tool, png):
    png.chmod(0)
    assert_fails(invoke(tool, png), 1, "a.png: Permission denied")


@not_root
def test_an_output_folder_that_is_read_only(stages, tmp_path):
    folder = tmp_path / "fixed"
    folder.mkdir(mode=0o555)
    result = invoke("pack", "-o", folder / "a.nic", data=stages["coded"])
    assert_fails(result, 1, "a.nic", "Permission denied")


def test_an_output_folder_that_is_not_there(stages, tmp_path):
    result = invoke("pack", "-o", tmp_path / "none" / "a.nic", data=stages["coded"])
    assert_fails(result, 1, "none/a.nic: cannot be created: No such file")


@pytest.mark.parametrize("tool", ["encode", *TAKES, "info", "test", "compress", "decompress"])
def test_an_empty_input(tool):
    assert_fails(invoke(tool), 3, "stdin: the input is empty")


@pytest.mark.parametrize(("tool", "stage"), TAKES.items())
def test_a_truncated_input(tool, stage, stages, tmp_path):
    """At some places, through the programs; tests/format/test_stream.py has them all."""
    data, target = stages[stage], tmp_path / "out.png"
    for cut in (1, 8, 97, len(data) // 2, len(data) - 1):
        result = invoke(tool, "-o", target, data=data[:cut])
        assert_fails(result, 3, "stdin: truncated")
        assert not list(tmp_path.iterdir())


def test_a_truncated_picture(png, tmp_path):
    data = png.read_bytes()
    for cut in range(97, len(data) - 20, 97 * 4):
        result = invoke("encode", "-o", tmp_path / "out.nic", data=data[:cut])
        assert_fails(result, 3, "stdin: ")
        assert list(tmp_path.iterdir()) == [png]


@pytest.mark.parametrize("tool", TAKES)
def test_text_instead_of_a_stream(tool):
    assert_fails(invoke(tool, data=b"Hello, world\n"), 3, "stdin: this is not a nic stream")


@pytest.mark.parametrize("tool", TAKES)
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_instead_of_a_stream(tool, name, tmp_path, pixels):
    path = tmp_path / "a.picture"
    Image.fromarray(pixels).save(path, name)
    result = invoke(tool, path)
    assert_fails(result, 3, "a.picture: this is a ", "not a nic stream", "nic-encode")


def test_text_instead_of_a_picture():
    assert_fails(invoke("encode", data=b"Hello, world\n"), 3, "stdin: this is not a picture")


@pytest.mark.parametrize("stage", ["latents", "symbols", "coded", "packed"])
def test_a_stream_instead_of_a_picture(stage, stages):
    assert_fails(invoke("encode", data=stages[stage]), 2, "nic stream already", "nic-decode")


@pytest.mark.parametrize(
    ("tool", "stage", "remedy"),
    [
        ("quantize", "symbols", "nic-entropy"),
        ("quantize", "coded", "nic-pack"),
        ("quantize", "packed", "nic-decode"),
        ("entropy", "coded", "nic-pack"),
        ("entropy", "packed", "nic-decode"),
        ("pack", "packed", "nic-decode"),
    ],
)
def test_a_later_stage_than_expected(tool, stage, remedy, stages, tmp_path):
    result = invoke(tool, "-o", tmp_path / "out", data=stages[stage])
    assert_fails(result, 2, "already", remedy)
    assert not list(tmp_path.iterdir())


def test_representative_failures_of_the_installed_programs(stages):
    """The same lines as above from real processes, without a traceback."""
    for name, data, code, word in (
        ("nic-encode", stages["packed"], 2, "nic-decode"),
        ("nic-quantize", stages["packed"], 2, "nic-decode"),
        ("nic-entropy", stages["symbols"][:-1], 3, "truncated"),
        ("nic-pack", b"text", 3, "not a nic stream"),
        ("nic-decode", b"\xff\xd8\xff\xe0\0\x10JFIF", 3, "JPEG"),
    ):
        result = run(name, data=data)
        assert_fails(result, code, word)
        assert result.out == b""


@pytest.mark.parametrize("stage", ["latents", "symbols", "coded", "packed"])
def test_a_model_that_is_not_installed(stage, stages):
    record = from_bytes(stages[stage])
    data = to_bytes(replace(record, header=replace(record.header, model="01234567")))
    result = invoke("decode", data=data)
    assert_fails(result, 4, "stdin: ", "01234567", "not installed", zoo.PATH_VARIABLE)


def test_a_model_that_nobody_knows(png):
    assert_fails(invoke("encode", "--model", "heavy", png), 4, "'heavy'", "installed: light")


@pytest.fixture
def copied_model(model, tmp_path, monkeypatch):
    """A copy of the model that is found before the one it was copied from."""
    folder = tmp_path / "zoo" / "light"
    shutil.copytree(model.folder, folder)
    monkeypatch.setenv(zoo.PATH_VARIABLE, str(folder.parent))
    return folder


@pytest.mark.parametrize(
    ("tool", "backend"),
    [("encode", "native"), ("decode", "native"), ("encode", "keras"), ("decode", "keras")],
)
def test_damaged_weights(copied_model, png, stages, tool, backend):
    """A bit that flipped on disk since the model was installed."""
    if backend == "keras":
        pytest.importorskip("keras", reason="Keras is not installed")
    file = "weights.npy"
    data = bytearray((copied_model / file).read_bytes())
    data[len(data) // 2] ^= 1
    (copied_model / file).write_bytes(data)
    given = png.read_bytes() if tool == "encode" else stages["packed"]
    result = run(f"nic-{tool}", "--backend", backend, data=given)
    assert_fails(result, 4, file, "damaged", "reinstall")
    assert result.out == b""


def test_a_model_file_that_is_gone(copied_model, png):
    (copied_model / "weights.npy").unlink()
    assert_fails(invoke("encode", png), 4, "weights.npy", "No such file")


def test_a_damaged_prior(copied_model, model, stages):
    if not model.has_prior:
        pytest.skip("the model has no prior")
    path = copied_model / "prior.npz"
    path.write_bytes(path.read_bytes()[:-1])
    assert_fails(invoke("entropy", data=stages["symbols"]), 4, "prior.npz", "damaged")


@pytest.mark.parametrize("stage", ["latents", "symbols", "coded", "packed"])
def test_an_unknown_version(stage, stages):
    data = bytearray(stages[stage])
    data[8] ^= 0x02
    assert_fails(invoke("decode", data=bytes(data)), 5, "version 3", "newer nic")


def test_an_unknown_critical_chunk(stages):
    record = replace(from_bytes(stages["packed"]), extra=(Chunk(b"Q", b"?"),))
    assert_fails(invoke("decode", data=to_bytes(record)), 5, "critical chunk 'Q'")


def test_an_unknown_ancillary_chunk_passes_through_every_stage(stages):
    """Unchanged to the packed file, and ignored by the decoder."""
    extra = (Chunk(b"q", bytes(range(256))), Chunk(b"z", b""))
    data = to_bytes(replace(from_bytes(stages["latents"]), extra=extra))
    for tool in ("quantize", "entropy", "pack"):
        result = invoke(tool, data=data)
        assert (result.code, result.err) == (0, "")
        data = result.out
        assert from_bytes(data).extra == extra
    assert invoke("decode", data=data).out == invoke("decode", data=stages["packed"]).out


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_latents_that_are_no_numbers(model, value):
    data = to_bytes(latents(np.full((1, 2, model.channels), value), model=model.id))
    result = run("nic-quantize", data=data)
    assert_fails(result, 2, "not finite")
    assert result.out == b""


def test_a_small_file_that_claims_a_huge_picture(model):
    """It is refused before the planes of such a picture are made."""
    side = 1 << 24
    head = header(side, side, model=model.id, latent_channels=model.channels, channels=1,
                  index=(Channel(Mode.EMPTY, 0),))  # fmt: skip
    data = to_bytes(Record(Stage.PACKED, head, b""))
    assert_fails(invoke("test", data=data), 3, "number of pixels")


@pytest.mark.parametrize("command", ["encode", "compress"])
def test_a_picture_in_cielab_says_what_to_do(command, tmp_path):
    Image.new("LAB", (8, 8), (128, 128, 128)).save(tmp_path / "lab.tiff")
    result = invoke(command, tmp_path / "lab.tiff", "-o", tmp_path / "out")
    assert_fails(result, 2, "lab.tiff: ", "CIELAB", "convert it to RGB first")
    assert not (tmp_path / "out").exists()
