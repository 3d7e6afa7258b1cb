"""The zoo: models found by name and hash, their files checked, their gains monotone."""

import hashlib
import json
import shutil
import subprocess
import sys
import tomllib

import numpy as np
import pytest
from places import ROOT
from programs import assert_fails, run

from nic.codec import Codec
from nic.errors import ModelError
from nic.models import cards, zoo
from nic.models.config import RateConfig, TransformConfig, load_config


def test_a_model_is_known_by_the_hash_of_its_definition(model):
    data = (model.folder / "model.json").read_bytes()
    assert model.content_hash == hashlib.sha256(data).hexdigest()
    assert model.id == model.content_hash[:8]


def test_a_model_is_found_by_every_name_it_has(model):
    for found in (
        zoo.by_name(),
        zoo.by_name(model.name),
        zoo.by_name(f"{model.name}-{model.version}"),
        zoo.by_id(model.id),
        zoo.by_id(model.content_hash),
    ):
        assert found.content_hash == model.content_hash


def test_unknown_models_are_refused_with_those_installed(model):
    with pytest.raises(ModelError, match=f"'heavy'.*{model.name}"):
        zoo.by_name("heavy")
    with pytest.raises(ModelError, match="0123456789"):
        zoo.by_id("0123456789")


@pytest.mark.parametrize("name", zoo.REFERENCE)
def test_the_reference_models_are_untrained_and_say_how_to_train_them(name, png):
    """Exit code 4, one line, no output; the configuration that the line names is there."""
    result = run("nic-encode", "--model", name, png)
    assert_fails(result, 4, f"{name} is untrained: no weights are shipped; ")
    assert result.out == b""
    path = result.err.split("scripts/train.py --config ")[1].strip()
    assert path == f"models/configs/{name}.toml"
    table = tomllib.loads((ROOT / path).read_text())
    assert (table["name"], table["family"]) == (name, "dcn")
    assert table["transform"]["latents"] == zoo.REFERENCE[name]


def test_a_reference_model_with_weights_is_a_model_like_any(model, tmp_path, monkeypatch):
    shutil.copytree(model.folder, tmp_path / "dcn-8k-1")
    definition = {**model.definition, "name": "dcn-8k", "version": 1}
    (tmp_path / "dcn-8k-1" / "model.json").write_text(json.dumps(definition))
    monkeypatch.setenv(zoo.PATH_VARIABLE, str(tmp_path))
    assert zoo.untrained() == {"dcn-4k": 16, "dcn-16k": 64}
    assert zoo.by_name("dcn-8k").folder == tmp_path / "dcn-8k-1"


def test_every_file_of_an_installed_model_is_sound():
    for model in zoo.installed():
        for name in model.definition["files"]:
            assert model.read(name)
        with pytest.raises(ModelError):
            model.read("card.json")


def test_further_folders_hold_further_models(model, tmp_path, monkeypatch):
    """The newest version of a family is its default; the older stay for old streams."""
    newer = tmp_path / "mine" / "light-next"
    shutil.copytree(model.folder, newer)
    definition = {**model.definition, "version": model.version + 1}
    (newer / "model.json").write_text(json.dumps(definition))
    monkeypatch.setenv(zoo.PATH_VARIABLE, f"{tmp_path / 'none'}:{newer.parent}")
    assert zoo.by_name().version == model.version + 1
    assert zoo.by_name(f"{model.name}-{model.version}").content_hash == model.content_hash
    assert zoo.by_id(model.id).content_hash == model.content_hash
    assert len(zoo.installed()) >= 2


def test_one_model_in_two_folders_is_one_model(model, tmp_path, monkeypatch):
    before = len(zoo.installed())
    shutil.copytree(model.folder, tmp_path / "again")
    monkeypatch.setenv(zoo.PATH_VARIABLE, str(tmp_path))
    assert len(zoo.installed()) == before


def test_gains_grow_and_steps_shrink_with_quality(model):
    """More quality is never coarser, but in the last channels, which hardly anything needs.

    In a channel that the lowest qualities hardly use, gains may fall by a hundredth, and steps may
    grow, but not on the whole.
    """
    qualities = [1, 2.5, 20, 20.8, 33, 50, 75, 99.99, 100]
    gains = np.array([model.gain(q) for q in qualities])
    steps = np.array([model.step(q) for q in qualities])
    assert gains.shape == steps.shape == (len(qualities), model.channels)
    assert gains.dtype == steps.dtype == np.float32
    assert (gains[1:, :64] > 0.99 * gains[:-1, :64]).all()
    assert (gains[2:, :64] > gains[:-2, :64]).all()
    assert (np.diff(np.log(steps[:, :64]).mean(axis=1)) < 0).all()
    assert (steps[-1, :64] < steps[0, :64]).all()
    assert (steps > 0).all()


def test_gains_at_the_rate_points_are_those_of_the_training(model):
    table = np.array(model.definition["gains"])
    at = np.linspace(1, 100, len(table))
    found = np.array([model.gain(float(q)) for q in at])
    np.testing.assert_allclose(found, table, rtol=1e-5)


def test_gains_between_rate_points_are_geometric_means(model):
    table = np.array(model.definition["gains"])
    between = 1 + 99 * 0.5 / (len(table) - 1)
    np.testing.assert_allclose(model.gain(between), np.sqrt(table[0] * table[1]), rtol=1e-5)


def test_a_model_without_a_card_has_an_empty_one(model, tmp_path):
    shutil.copytree(model.folder, tmp_path / "bare")
    (tmp_path / "bare" / "card.json").unlink(missing_ok=True)
    assert zoo.from_folder(tmp_path / "bare").card == {}


def test_the_default_configuration_is_that_of_the_code():
    """models/configs/light.toml spells out the defaults; neither may drift."""
    config = load_config(ROOT / "models" / "configs" / "light.toml")
    assert config.name == "light"
    assert config.transform == TransformConfig()
    assert config.rate == RateConfig()


def test_unknown_keys_of_a_configuration_are_refused(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text('name = "x"\n[transform]\nwidht = 9\n')
    with pytest.raises(ValueError, match="widht"):
        load_config(path)
    path.write_text('name = "x"\n[trainig]\n')
    with pytest.raises(ValueError, match="trainig"):
        load_config(path)


@pytest.mark.parametrize(("name", "channels"), [("4k", 16), ("8k", 32), ("16k", 64)])
def test_the_reference_s_names_stand_for_channels_of_the_default(name, channels, pixels):
    assert zoo.by_choice(name) == (zoo.by_name(), channels)
    assert zoo.by_choice(name, "psnr") == (zoo.by_name("light"), channels)
    codec = Codec(model=name)
    assert codec.encode(pixels).header.channels == channels
    assert codec.encode(pixels, channels=3).header.channels == 3


def test_a_variant_is_the_model_of_that_name(model, tmp_path, monkeypatch):
    tuned = json.loads((model.folder / "model.json").read_text()) | {"name": "light-ms-ssim"}
    (tmp_path / "light-ms-ssim-999").mkdir()
    (tmp_path / "light-ms-ssim-999" / "model.json").write_text(json.dumps(tuned))
    monkeypatch.setenv(zoo.PATH_VARIABLE, str(tmp_path))
    assert zoo.by_choice("light", "ms-ssim")[0].name == "light-ms-ssim"
    assert zoo.by_choice("8k", "ms-ssim")[1] == 32
    with pytest.raises(ModelError, match="other-ms-ssim"):
        zoo.by_choice("other", "ms-ssim")


@pytest.mark.parametrize(
    ("name", "tune", "expected"),
    [
        (zoo.DEFAULT, None, "light-visual"),
        (zoo.DEFAULT, "visual", "light-visual"),
        (zoo.DEFAULT, "psnr", "light"),
        (zoo.DEFAULT, "ms-ssim", "light-ms-ssim"),
        ("light", None, "light"),
        ("light-5", None, "light"),
        ("light-5", "psnr", "light"),
        ("light", "visual", "light-visual"),
        ("light-ms-ssim", "visual", "light-visual"),
        ("light-visual", "psnr", "light"),
    ],
)
def test_a_variant_is_chosen_and_a_name_is_taken_as_it_is(name, tune, expected):
    assert zoo.by_choice(name, tune)[0].name == expected


def test_every_model_has_the_page_of_its_card():
    folders = [path.parent for path in zoo.ZOO.glob("*/model.json")]
    assert folders
    for folder in folders:
        page = cards.page(zoo.from_folder(folder))
        assert (folder / "README.md").read_text(encoding="utf-8") == page, "scripts/card.py --page"
        assert zoo.from_folder(folder).content_hash in page
        assert "| licence |" in page


def test_a_card_needs_all_of_its_facts_or_none(tmp_path):
    shutil.copytree(zoo.by_name().folder, tmp_path / "light-9")
    script = [sys.executable, ROOT / "scripts/card.py", tmp_path / "light-9"]
    done = subprocess.run([*script, "--data", "pictures"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "--page" in done.stderr
    (tmp_path / "light-9/README.md").unlink()
    assert subprocess.run([*script, "--page"]).returncode == 0
    assert (tmp_path / "light-9/README.md").read_text() == cards.page(zoo.by_name())
