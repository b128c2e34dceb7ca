"""The shipped config of a study."""

import pandas as pd
from monai.bundle import ConfigParser

from scangen_bundle.settings import configs_folder
from scangen_bundle.testing import make_manifest


def test_labels_may_be_written_by_the_names_of_the_classes(tmp_path):
    path = make_manifest(tmp_path / "cohort")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    numbers = table["label"].astype(int).tolist()
    table.assign(label=["wild type" if number == 0 else "mutated" for number in numbers]).to_csv(path, index=False)
    parser = ConfigParser()
    parser.read_config(configs_folder() / "study.yaml")
    parser.update({"dataset_dir": str(path.parent), "class_names": ["wild type", "mutated"]})
    parser.get_parsed_content("imports")
    assert parser.get_parsed_content("cohort")["label"].tolist() == numbers
