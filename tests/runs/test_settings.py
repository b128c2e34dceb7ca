"""A run remembers its configuration, and tells what changed."""

import pytest
import yaml
from monai.bundle import ConfigParser

from scangen_bundle.errors import InputError
from scangen_bundle.runs import RunSettings

CONFIG = {
    "imports": ["$import os"],
    "dataset_dir": "data",
    "manifest_path": "$@dataset_dir + '/manifest.csv'",
    "tracking_uri": "http://me:s3cret@host",
    "max_epochs": 30,
    "class_names": ["a", "b"],
    "num_classes": "$len(@class_names)",
    "interval": "$min(5, @train#trainer#max_epochs)",
    "network_def": {"_target_": "torch.nn.Linear", "in_features": 3, "out_features": "@num_classes"},
    "network": "$@network_def.to('cpu')",
    "copies": "$[@network, @num_classes]",
    "train": {"trainer": {"_target_": "builtins.dict", "max_epochs": "@max_epochs"}},
    "training": ["$print(@train)"],
}


@pytest.fixture
def settings():
    return RunSettings(CONFIG)


def test_settings_are_read_back_as_they_were_written_but_without_passwords(settings, tmp_path):
    settings.write(tmp_path / "settings.yaml")
    read = RunSettings.read(tmp_path / "settings.yaml")
    assert read.config == {**CONFIG, "tracking_uri": "http://me:***@host"}
    assert "s3cret" not in (tmp_path / "settings.yaml").read_text()
    assert read["manifest_path"] == "data/manifest.csv"
    assert read["network_def"].weight.shape == (2, 3)
    assert read.get("absent", 7) == 7


def test_plain_settings_are_told_from_components_and_what_is_made_of_them(settings):
    expected = {"max_epochs": 30, "class_names": ["a", "b"], "num_classes": 2, "interval": 5}
    assert settings.values() == expected


def test_a_definition_needs_no_other_entry(settings):
    definition = settings.definition("network_def")
    assert definition == {"_target_": "torch.nn.Linear", "in_features": 3, "out_features": 2}
    expression = RunSettings({"n": 2, "d": "$object", "x": {"a": "@y", "b": ["@n"]}, "y": "$object() or @n"})
    assert expression.definition("x") == {"a": "$object() or 2", "b": [2]}


def test_changes_name_the_setting_before_and_now_wherever_it_is_nested(settings):
    now = RunSettings({**CONFIG, "max_epochs": 5, "network_def": {**CONFIG["network_def"], "in_features": 4}, "new": 1})
    assert now.changes(settings) == ["max_epochs 30 (now 5)", "network_def#in_features 3 (now 4)"]
    moved = RunSettings({**CONFIG, "dataset_dir": "elsewhere", "tracking_uri": None, "training": []})
    assert moved.changes(settings) == []


def test_a_config_in_use_is_that_of_the_expression_that_asks():
    parser = ConfigParser(
        {"imports": ["$import scangen_bundle", "$import scangen_bundle.runs"], "size": 3, "_meta_": {"x": 1}}
    )
    parser["who"] = "$scangen_bundle.runs.RunSettings.in_use()"
    config = parser.get_parsed_content("who").config
    assert config["size"] == 3
    assert "_meta_" not in config
    with pytest.raises(RuntimeError, match="for expressions of a config"):
        RunSettings.in_use()


@pytest.mark.parametrize("content", ["{", "[1]", "a: 1", "\x00"])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "settings.yaml").write_text(content)
    with pytest.raises(InputError, match=r"settings\.yaml"):
        RunSettings.read(tmp_path / "settings.yaml")


def test_a_run_of_an_earlier_version_and_one_that_does_not_exist_are_said(tmp_path):
    with pytest.raises(InputError, match="there is no such run -> give --run_dir"):
        RunSettings.read(tmp_path / "absent" / "settings.yaml")
    with pytest.raises(InputError, match="holds no finished epoch of a training -> train first"):
        RunSettings.read(tmp_path / "settings.yaml")
    (tmp_path / "models").mkdir()
    with pytest.raises(InputError, match="trained by an earlier version, which kept no settings"):
        RunSettings.read(tmp_path / "settings.yaml")


def test_values_that_yaml_does_not_know_become_texts(tmp_path):
    RunSettings({"network_def": 1, "path": tmp_path, "pair": (1, 2)}).write(tmp_path / "s.yaml")
    assert yaml.safe_load((tmp_path / "s.yaml").read_text()) == {
        "network_def": 1,
        "path": str(tmp_path),
        "pair": [1, 2],
    }
