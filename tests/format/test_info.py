"""nic info, test, models and completion: what they tell, and to whom."""

import json
import shutil
import subprocess
from dataclasses import replace

import pytest
from programs import PROGRAMS, assert_fails, invoke, program, run
from records import from_bytes, to_bytes

from nic.format import pack
from nic.format.records import Chunk
from nic.models import zoo


@pytest.mark.parametrize("stage", ["latents", "symbols", "coded", "packed"])
def test_info_tells_the_facts_as_json(stages, model, stage):
    facts = json.loads(invoke("info", "--json", data=stages[stage]).out)
    assert facts["stage"] == stage
    assert (facts["width"], facts["height"], facts["colour"]) == (52, 45, "rgb")
    assert facts["model"] == f"{model.name}-{model.version}"
    assert facts["model_hash"] == model.content_hash[:8]
    assert facts["channels"] == model.channels
    assert facts["latent_shape"] == [6, 7, model.channels]
    assert facts["bytes"] == len(stages[stage])
    assert facts["bpp"] == pytest.approx(8 * len(stages[stage]) / (52 * 45), abs=1e-4)
    assert facts["name"] == (None if stage == "packed" else "small")
    assert ("channel_index" in facts) == (stage in ("coded", "packed"))


def test_info_lists_every_byte_of_a_packed_file(stages):
    facts = json.loads(invoke("info", "--json", data=stages["packed"]).out)
    listed = sum(channel["bytes"] for channel in facts["channel_index"])
    index = from_bytes(stages["packed"]).header.index
    assert listed == sum(channel.size for channel in index)
    assert [c["mode"] for c in facts["channel_index"]] == [c.mode.name.lower() for c in index]
    assert listed + facts["overhead"] + facts.get("class_map", 0) + facts["excess"] == len(
        stages["packed"]
    )


def test_info_of_several_pictures_is_one_line_of_json_each(stages):
    result = invoke("info", "--json", data=stages["packed"] + stages["latents"])
    facts = [json.loads(line) for line in result.out.splitlines()]
    assert [f["stage"] for f in facts] == ["packed", "latents"]


def test_info_is_readable(stages):
    result = run("nic", "info", data=stages["packed"])
    words = result.out.decode().split()
    assert (result.code, result.err) == (0, "")
    for fact in ("packed", "52", "45", "rgb", "50"):
        assert fact in words


def test_info_needs_no_model(stages):
    record = from_bytes(stages["packed"])
    strange = replace(record, header=replace(record.header, model="01234567"))
    facts = json.loads(invoke("info", "--json", data=to_bytes(strange)).out)
    assert (facts["model"], facts["model_hash"]) == ("not installed", "01234567")


def test_info_shows_metadata(stages):
    record = replace(from_bytes(stages["packed"]), extra=(Chunk(b"t", b"title"),))
    assert json.loads(invoke("info", "--json", data=to_bytes(record)).out)["metadata"] == {"t": 5}


def test_info_of_a_damaged_file_fails(stages):
    assert_fails(invoke("info", data=stages["packed"][:-1]), 3, "stdin: truncated")


@pytest.mark.parametrize("stage", ["latents", "symbols", "coded", "packed"])
def test_test_is_silent_on_sound_files_and_v_says_so(stages, stage):
    quiet, loud = invoke("test", data=stages[stage]), invoke("test", "-v", data=stages[stage])
    assert (quiet.code, quiet.out, quiet.err) == (0, b"", "")
    assert (loud.code, loud.out) == (0, b"")
    assert loud.err == "nic: stdin: sound, pictures: 1\n"


def test_test_names_each_damaged_file_and_goes_on(stages, tmp_path):
    good, cut, gone = (tmp_path / name for name in ("good.nic", "cut.nic", "gone.nic"))
    good.write_bytes(2 * stages["packed"])
    cut.write_bytes(stages["packed"][:-30])
    result = run("nic", "test", "-v", cut, gone, good)
    assert result.code == 3
    assert [line.split(": ")[1].rpartition("/")[2] for line in result.err.splitlines()] == [
        "cut.nic", "gone.nic", "good.nic"]  # fmt: skip
    assert result.err.endswith("good.nic: sound, pictures: 2\n")


def test_test_finds_what_checksums_cannot(stages):
    """A payload that was cut before the record was written."""
    record = from_bytes(stages["coded"])
    worst = max(range(len(record.header.index)), key=lambda c: record.header.index[c].size)
    sizes = [channel.size for channel in record.header.index]
    assert sizes[worst] > 1
    index = list(record.header.index)
    index[worst] = replace(index[worst], size=sizes[worst] - 1)
    at = sum(sizes[:worst])
    data = bytes(record.data[:at]) + bytes(record.data[at + 1 :])
    header = replace(record.header, index=tuple(index))
    broken = pack.pack(replace(record, header=header, data=data))
    assert_fails(invoke("test", data=to_bytes(broken)), 3, f"channel {worst} is damaged")


def test_models_are_listed(model):
    listed = json.loads(run("nic", "models", "--json").out)
    trained = [m["content_hash"] for m in listed if m["status"] == "trained"]
    assert trained == [m.content_hash for m in zoo.installed()]
    (ours,) = (m for m in listed if m.get("content_hash") == model.content_hash)
    assert ours["name"] == f"{model.name}-{model.version}"
    assert ours["default_quality"] == model.default_quality
    text = invoke("models").out.decode()
    assert model.content_hash in text
    assert f"{model.name}-{model.version}" in text


def test_models_without_weights_are_listed_as_untrained():
    listed = json.loads(run("nic", "models", "--json").out)
    untrained = {m["name"]: m["channels"] for m in listed if m["status"] == "untrained"}
    assert untrained == {"dcn-4k": 16, "dcn-8k": 32, "dcn-16k": 64}
    assert not any("content_hash" in m for m in listed if m["status"] == "untrained")
    entry = invoke("models").out.decode().split("\n\n")[-2]
    assert [line.split()[1] for line in entry.splitlines()[:3]] == ["dcn-8k", "untrained", "32"]
    assert "scripts/train.py --config models/configs/dcn-8k.toml" in entry


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_covers_every_program(shell):
    result = invoke("completion", shell)
    assert (result.code, result.err) == (0, "")
    script = result.out.decode()
    for name in PROGRAMS:
        assert f"_{name.upper().replace('-', '_')}_COMPLETE={shell}_complete" in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_completion_is_sound_bash():
    script = invoke("completion", "bash").out
    result = subprocess.run(["bash", "-n"], input=script, capture_output=True)
    assert (result.returncode, result.stderr) == (0, b"")


def test_completion_completes():
    settings = {"_NIC_COMPLETE": "bash_complete", "COMP_WORDS": "nic comp", "COMP_CWORD": "1"}
    result = subprocess.run([program("nic")], env=settings, capture_output=True)
    words = {line.partition(",")[2] for line in result.stdout.decode().splitlines()}
    assert words == {"compress", "completion"}


def test_completion_of_an_unknown_shell_is_a_usage_error():
    assert invoke("completion", "tcsh").code == 2
