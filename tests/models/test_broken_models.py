"""A model folder that cannot be used: it is named where it matters, and hides no other."""

import json
import os
import shutil

import pytest
from programs import assert_fails, invoke

from nic.models import zoo


def edited(**changes):
    """A damage: fields of the definition changed, or removed for None."""

    def damage(text):
        definition = {**json.loads(text), **changes}
        return json.dumps({k: v for k, v in definition.items() if v is not None})

    return damage


TRANSFORM = {"latents": "many"}
DAMAGES = {
    "cut": lambda text: text[: len(text) // 2],
    "empty": lambda _: "",
    "not UTF-8": lambda _: b"\xff\xfe{}",
    "not an object": lambda _: "[1, 2]",
    "deep": lambda _: "[" * 100_000,
    "without name": edited(name=None),
    "without gains": edited(gains=None),
    "a version in words": edited(version="five"),
    "a transform in words": edited(transform=TRANSFORM),
    "an empty transform": edited(transform={}),
    "gains of no channel": edited(gains=[[], []]),
    "gains in words": edited(gains="loud"),
    "one row of gains": edited(gains=[[1.0]]),
    "gains that are not finite": lambda text: text.replace('"gains": [[', '"gains": [[NaN, ', 1),
    "a codebook of three": edited(codebook=[1, 2, 3]),
    "files as a list": edited(files=["weights.npy"]),
    "lambdas of another number": edited(lambdas=[0.1, 0.2]),
    "a huge version": edited(version=float("inf")),
}


@pytest.fixture
def zoo_folder(tmp_path, monkeypatch):
    """An empty folder in which models are searched too."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    monkeypatch.setenv(zoo.PATH_VARIABLE, str(folder))
    return folder


@pytest.fixture
def broken(zoo_folder, model):
    """What makes a copy of the model under a name, its definition damaged."""

    def make(name, damage):
        shutil.copytree(model.folder, zoo_folder / name)
        path = zoo_folder / name / "model.json"
        data = damage(path.read_text())
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return make


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_definition_hides_no_other_model(broken, model, png, damage):
    path = broken("other-1", damage)
    result = invoke("encode", png)
    assert (result.code, result.err) == (0, "")
    assert zoo.by_id(model.id) == model
    for name in ("other", "other-1"):
        result = invoke("encode", "--model", name, png)
        assert_fails(result, 4, f"{path} is damaged: ")
    assert_fails(invoke("encode", "--model", "another", png), 4, "no model 'another'")


def test_every_broken_model_is_noted_by_nic_models(broken, model):
    paths = [broken("other-1", DAMAGES["cut"]), broken("other-2", DAMAGES["without name"])]
    result = invoke("models", "--json")
    assert result.code == 0
    lines = result.err.splitlines()
    assert [line.split(" is damaged: ")[0] for line in lines] == [f"nic: note: {p}" for p in paths]
    assert model.content_hash in [entry.get("content_hash") for entry in json.loads(result.out)]


def test_a_broken_model_that_could_be_the_one_is_noted(broken, model, png):
    """The newest version is asked for, and one that is newer cannot be used."""
    path = broken(f"{model.name}-99", DAMAGES["cut"])
    result = invoke("encode", "--model", model.name, png)
    assert result.code == 0
    assert result.err.count("\n") == 1
    assert str(path) in result.err
    assert f"{model.name}-{model.version} is used instead" in result.err
    exact = f"{model.name}-{model.version}"
    result = invoke("encode", "--model", exact, png)
    assert (result.code, result.err) == (0, "")


def test_a_stream_of_an_unknown_model_names_the_broken_ones(broken):
    path = broken("other-1", DAMAGES["cut"])
    with pytest.raises(zoo.ModelError, match=r"01234567.* is not installed; perhaps ") as caught:
        zoo.by_id("01234567")
    assert str(path) in str(caught.value)


def test_a_definition_that_is_a_folder(zoo_folder, png):
    (zoo_folder / "other-1" / "model.json").mkdir(parents=True)
    assert invoke("encode", png).code == 0
    assert_fails(invoke("encode", "--model", "other", png), 4, "cannot be read: Is a dir")


def test_a_definition_that_links_to_itself(zoo_folder, png):
    (zoo_folder / "other-1").mkdir()
    (zoo_folder / "other-1" / "model.json").symlink_to("model.json")
    assert invoke("encode", png).code == 0
    assert_fails(invoke("encode", "--model", "other", png), 4, "cannot be read: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(broken, zoo_folder, png):
    path = broken("other-1", edited())
    path.parent.chmod(0)
    try:
        assert invoke("encode", png).code == 0
        assert_fails(invoke("encode", "--model", "other", png), 4, "Permission denied")
    finally:
        path.parent.chmod(0o755)


@pytest.mark.parametrize("place", ["none", "file"])
def test_a_place_that_is_no_folder_is_passed_over(zoo_folder, png, place, monkeypatch):
    (zoo_folder / "file").touch()
    monkeypatch.setenv(zoo.PATH_VARIABLE, f"{zoo_folder / place}{os.pathsep}{zoo_folder}")
    result = invoke("encode", png)
    assert (result.code, result.err) == (0, "")


@pytest.mark.parametrize("card", ["{", "7", ""])
def test_a_damaged_card_costs_what_it_says(zoo_folder, model, card):
    shutil.copytree(model.folder, zoo_folder / "other-1")
    definition = {**model.definition, "name": "other", "version": 1}
    (zoo_folder / "other-1" / "model.json").write_text(json.dumps(definition))
    (zoo_folder / "other-1" / "card.json").write_text(card)
    result = invoke("models", "--json")
    assert result.code == 0
    assert result.err.count("\n") == 1
    assert "card.json cannot be read: " in result.err
    (entry,) = (entry for entry in json.loads(result.out) if entry["name"] == "other-1")
    assert entry["channels"] == model.channels
