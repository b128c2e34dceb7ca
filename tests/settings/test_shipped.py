"""The configs that ship are there from any folder."""

from pathlib import Path

from monai.bundle import ConfigParser

from scangen_bundle.settings import configs_folder


def test_a_study_has_its_trainings_config_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parser = ConfigParser()
    parser.read_config(configs_folder() / "study.yaml")
    parser["bundle_root"] = str(tmp_path)
    (file,) = parser.get_parsed_content("train_config")
    assert Path(file).samefile(configs_folder() / "train.yaml")
