"""nic extract, truncate and latents, and nic-decode --channels, as a person uses them."""

import io
import os
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from loading import SLOW, modules_of
from PIL import Image
from programs import assert_fails, invoke, pipe, run, start
from records import CHANNELS, from_bytes, latents, planes, symbols, to_bytes

from nic.format import channels
from nic.format.records import MAGIC, Chunk, Stage, read_records

STAGES = ("latents", "symbols", "coded", "packed")


def decoded(data, *args):
    """The pixels that nic-decode makes of a stream."""
    result = invoke("decode", "--format", "ppm", *args, data=data)
    assert (result.code, result.err) == (0, "")
    return result.out


# -- nic extract ------------------------------------------------------------------------------


def test_extracted_arrays_are_planes(codec, photograph, nic_file, tmp_path):
    """The same from a file, a redirected file and a pipe, run for real."""
    whole = planes(codec.to_symbols(photograph))
    dequantized = channels.latents(codec.to_latents(photograph))
    for options, expected in (
        (["-c", "12,0-7"], whole[[*range(8), 12]]),
        (["-c", "5", "--latents"], dequantized[[5]]),
        ([], whole),
    ):
        words = ["extract", *options, "--format", "npy"]
        by_file = run("nic", *words, nic_file)
        assert (by_file.code, by_file.err) == (0, "")
        found = np.load(io.BytesIO(by_file.out))
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)
        assert pipe(nic_file.read_bytes(), ["nic", *words]) == by_file.out
        with open(nic_file, "rb") as stdin:
            assert run("nic", *words, stdin=stdin).out == by_file.out
        target = tmp_path / "c.npy"
        assert run("nic", "extract", *options, "-f", "-o", target, nic_file).code == 0
        assert target.read_bytes() == by_file.out


@pytest.mark.parametrize("options", [[], ["--latents"]])
def test_an_extracted_stream_decodes_as_its_channels(nic_file, options):
    some = pipe(nic_file.read_bytes(), ["nic", "extract", "-c", "0-5,9", *options])
    record = from_bytes(some)
    assert record.stage == (Stage.LATENTS if options else Stage.SYMBOLS)
    assert record.header.history[-1] == "extract"
    expected = decoded(nic_file.read_bytes(), "--channels", "0-5,9")
    assert decoded(some) == expected
    if not options:
        assert decoded(pipe(some, ["nic-entropy"], ["nic-pack"])) == expected


def test_latents_are_extracted_as_they_are_or_quantized(codec, stages):
    record = from_bytes(stages["latents"])
    exact = invoke("extract", "-c", "2,1", "--latents", "--format", "npy", data=stages["latents"])
    expected = channels.latents(record)[[1, 2]]
    assert np.array_equal(np.load(io.BytesIO(exact.out)), expected)
    quantized = invoke("extract", "-c", "2,1", "--format", "npy", data=stages["latents"])
    expected = planes(from_bytes(stages["symbols"]))[[1, 2]]
    assert np.array_equal(np.load(io.BytesIO(quantized.out)), expected)


def test_ancillary_chunks_are_passed_on(photograph, nic_file):
    extra = (Chunk(b"q", b"note"),)
    nic_file.write_bytes(to_bytes(replace(photograph, extra=extra)))
    for words in (["extract", "-c", "1"], ["truncate", "-c", "3"]):
        assert from_bytes(invoke(*words, nic_file).out).extra == extra


def test_several_arrays_follow_each_other(stages, tmp_path):
    for words in (["extract", "-c", "1", "--format", "npy"], ["latents"]):
        result = invoke(*words, data=2 * stages["packed"])
        source = io.BytesIO(result.out)
        first, second = np.load(source), np.load(source)
        assert np.array_equal(first, second)
        assert source.read() == b""
        named = invoke(*words, "-o", tmp_path / "c.npy", data=2 * stages["packed"])
        assert_fails(named, 2, "more than one picture for", "use stdout")
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["c.npy", "c.NPY", "c.nic", "npy"])
def test_the_format_is_that_of_the_name(stages, tmp_path, name):
    target = tmp_path / name
    assert invoke("extract", "-c", "1", "-o", target, data=stages["packed"]).code == 0
    start = b"\x93NUMPY" if name.lower().endswith(".npy") else MAGIC
    assert target.read_bytes().startswith(start)
    explicit = ["--format", "nic", "-f", "-o", target]
    assert invoke("extract", *explicit, data=stages["packed"]).code == 0
    assert target.read_bytes().startswith(MAGIC)


def test_what_is_extracted_of_a_slow_pipe_is_the_same(nic_file):
    data = nic_file.read_bytes()
    process = start("nic", "extract", "-c", "3")
    for byte in data[:40]:  # one at a time: no read may take a short answer for the end
        process.stdin.write(bytes([byte]))
        process.stdin.flush()
    out, err = process.communicate(data[40:], timeout=60)
    assert (err, process.returncode) == (b"", 0)
    assert out == invoke("extract", "-c", "3", nic_file).out


# -- nic-decode --channels, nic truncate ------------------------------------------------------


@pytest.mark.parametrize("count", [1, 16, 32, CHANNELS])
def test_a_truncated_file_decodes_as_those_channels(photograph, nic_file, count):
    """Run for real, with equal pixels and with payloads that are the same bytes."""
    cut = run("nic", "truncate", "-c", count, nic_file)
    assert (cut.code, cut.err) == (0, "")
    assert pipe(nic_file.read_bytes(), ["nic", "truncate", "-c", str(count)]) == cut.out
    record = from_bytes(cut.out)
    assert record.header == replace(photograph.header, channels=count,
                                    index=photograph.header.index[:count])  # fmt: skip
    assert record.class_map == photograph.class_map
    assert bytes(photograph.data).startswith(bytes(record.data))
    assert len(record.data) == sum(channel.size for channel in record.header.index)
    part = run("nic-decode", "--channels", f"0-{count - 1}", "--format", "ppm", nic_file)
    assert (part.code, part.err) == (0, "")
    assert pipe(cut.out, ["nic-decode", "--format", "ppm"]) == part.out
    whole = decoded(nic_file.read_bytes())
    assert (part.out == whole) == (count == CHANNELS)


@pytest.mark.parametrize("stage", STAGES)
def test_records_of_every_stage_are_truncated_and_decoded_alike(stages, stage):
    cut = invoke("truncate", "-c", "3", data=stages[stage])
    assert (cut.code, cut.err) == (0, "")
    assert from_bytes(cut.out).stage == from_bytes(stages[stage]).stage
    assert decoded(cut.out) == decoded(stages[stage], "-c", "0-2")


def test_truncated_latents_are_coded_with_that_many_channels(stages):
    cut = invoke("truncate", "-c", "3", data=stages["latents"]).out
    expected = pipe(stages["latents"], ["nic-quantize", "--channels", "3"], ["nic-pack"])
    assert invoke("pack", data=cut).out == expected


def test_truncation_says_so_in_the_history(stages):
    assert from_bytes(invoke("truncate", "-c", "3", data=stages["coded"]).out).header.history == (
        "encode", "quantize", "entropy", "truncate")  # fmt: skip


def test_more_channels_than_there_are(nic_file, tmp_path):
    target = tmp_path / "b.nic"
    result = invoke("truncate", "-c", CHANNELS + 1, nic_file, "-o", target)
    assert_fails(result, 2, f"a.nic: cannot use {CHANNELS + 1} channels; there are {CHANNELS}")
    assert not target.exists()
    cut = invoke("truncate", "-c", "16", nic_file).out
    assert_fails(
        invoke("truncate", "-c", "32", data=cut), 2, "cannot use 32 channels; there are 16"
    )


@pytest.mark.parametrize("value", ["0", "256", "0-3", "x"])
def test_truncate_wants_a_number(value):
    result = invoke("truncate", "-c", value)
    assert (result.code, result.out) == (2, b"")
    assert "'-c' / '--channels'" in result.err


def test_truncating_needs_no_model(photograph):
    head = replace(photograph.header, model="01234567")
    result = invoke("truncate", "-c", "3", data=to_bytes(replace(photograph, header=head)))
    assert (result.code, result.err) == (0, "")
    assert from_bytes(result.out).header.channels == 3


def test_decompress_decodes_the_channels_that_decode_does(nic_file, tmp_path):
    target = tmp_path / "a.ppm"
    assert invoke("decompress", "-c", "0,2-5", nic_file, "-o", target).code == 0
    assert target.read_bytes() == decoded(nic_file.read_bytes(), "-c", "0,2-5")


# -- nic latents ------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_latents_of_every_stage(codec, stages, tmp_path, stage):
    by_pipe = pipe(stages[stage], ["nic", "latents"])
    found = np.load(io.BytesIO(by_pipe))
    record = codec.to_latents(from_bytes(stages[stage]))
    assert found.dtype == np.float32
    assert found.shape == (6, 7, CHANNELS)
    assert np.array_equal(found, channels.joined([channels.latents(record)]))
    (tmp_path / "a").write_bytes(stages[stage])
    target = tmp_path / "a.npy"
    assert run("nic", "latents", tmp_path / "a", "-o", target).code == 0
    assert target.read_bytes() == by_pipe


def test_latents_of_a_picture_are_those_of_nic_encode(png, stages):
    expected = np.load(io.BytesIO(pipe(stages["latents"], ["nic", "latents"])))
    assert np.array_equal(np.load(io.BytesIO(run("nic", "latents", png).out)), expected)
    assert pipe(png.read_bytes(), ["nic", "latents"]) == run("nic", "latents", png).out


def test_dequantized_latents_are_near_those_of_the_picture(model, codec, photographs, photograph):
    """Within a step or so: what the array is worth to a vision network."""
    exact = channels.latents(codec.encode(photographs["coffee"]))
    error = np.abs(channels.latents(codec.to_latents(photograph)) - exact)
    assert (error <= 1 / model.gain(photograph.header.quality)[:, None, None]).mean() > 0.99


def test_latents_of_few_channels_are_zero_in_the_others(stages):
    cut = invoke("truncate", "-c", "3", data=stages["packed"]).out
    found = np.load(io.BytesIO(invoke("latents", data=cut).out))
    assert found.shape == (6, 7, CHANNELS)
    assert found[..., :3].any()
    assert not found[..., 3:].any()


def test_latents_of_latents_need_no_model():
    values = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    result = invoke("latents", data=to_bytes(latents(values)))
    assert (result.code, result.err) == (0, "")
    assert np.array_equal(np.load(io.BytesIO(result.out)), values)
    assert_fails(invoke("latents", data=to_bytes(symbols(np.ones((4, 2, 3))))), 4, "00000000")


@pytest.mark.parametrize(
    ("data", "code", "complaint"),
    [
        (b"", 3, "the input is empty"),
        (b"text", 3, "not a picture that can be read"),
        (MAGIC, 3, "truncated"),
        (MAGIC[:5], 3, "truncated"),
        (MAGIC[:4] + b"\n\x1a\n12345", 3, "not a nic stream"),
    ],
)
def test_what_is_neither_picture_nor_stream(data, code, complaint, tmp_path):
    assert_fails(invoke("latents", "-o", tmp_path / "a.npy", data=data), code, complaint)
    assert not list(tmp_path.iterdir())


# -- all of them ------------------------------------------------------------------------------

COMMANDS = {"extract": ["-c", "0"], "truncate": ["-c", "3"], "latents": []}


@pytest.mark.parametrize(("command", "options"), COMMANDS.items())
def test_no_network_is_loaded(stages, command, options):
    loaded = modules_of(command, *options, data=stages["packed"])
    assert not loaded & (SLOW | {"imageio", "PIL", "rich"})


@pytest.mark.parametrize(("command", "options"), COMMANDS.items())
def test_a_missing_file_is_one_line(command, options, tmp_path):
    result = invoke(command, *options, tmp_path / "none.nic")
    assert_fails(result, 1, "none.nic: No such file")
    assert_fails(invoke(command, *options, tmp_path), 1, "Is a directory")


@pytest.mark.parametrize(("command", "options"), COMMANDS.items())
def test_nothing_binary_goes_to_a_terminal(command, options):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    try:
        result = run("nic", command, *options, stdout=theirs, stdin=subprocess.DEVNULL)
    finally:
        os.close(theirs)
        os.close(ours)
    assert_fails(result, 2, "not writing binary data to a terminal")


@pytest.mark.parametrize(("command", "options"), COMMANDS.items())
def test_a_picture_or_a_stream_where_the_other_is_meant(command, options, png):
    result = invoke(command, *options, png)
    if command == "latents":
        assert (result.code, result.err) == (0, "")
    else:
        assert_fails(result, 3, "a PNG picture, not a nic stream")


def test_a_grey_picture_has_channels_too(tmp_path, pixels):
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.png")
    packed = invoke("encode", tmp_path / "grey.png").out
    cut = invoke("truncate", "-c", "2", data=invoke("pack", data=packed).out).out
    assert decoded(cut).startswith(b"P5")
    assert len(list(read_records(io.BytesIO(cut)))) == 1
