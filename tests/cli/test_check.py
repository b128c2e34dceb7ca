"""What `scangen check` says before work."""

import pandas as pd
import pytest

from scangen_bundle.testing import make_manifest


@pytest.fixture
def cohort(tmp_path):
    """A cohort whose first scan is a slide in a store, without features."""
    path = make_manifest(tmp_path / "my_cohort")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table["slide_path"] = ""
    table.loc[0, ["slide_path", "features_path"]] = ["s3://bucket/a.svs", ""]
    table.to_csv(path, index=False)
    return path.parent


def test_a_slide_in_a_store_is_not_looked_for_on_the_disk(scangen, cohort):
    ended = scangen("check", str(cohort), "--allow-outside")
    assert "1 lie in a store and are not opened" in ended.stdout
    assert "files are missing" not in ended.stdout
    assert ended.code == 0, ended.stdout + ended.stderr


@pytest.fixture
def named(tmp_path):
    """A cohort whose labels are names."""
    path = make_manifest(tmp_path / "named")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table["label"] = table["label"].map({"0": "wild type", "1": "mutated"})
    table.to_csv(path, index=False)
    return path.parent


def test_labels_that_training_would_refuse_are_refused(scangen, named):
    ended = scangen("check", str(named), "--quick")
    assert ended.code == 1
    assert "'mutated' is none of the classes negative, positive" in ended.stderr


def test_classes_have_the_numbers_of_the_projects_file(scangen, named):
    (named.parent / "scangen.yaml").write_text("class_names: [wild type, mutated]\n")
    ended = scangen("check", str(named), "--quick")
    assert "0 (wild type): " in ended.stdout, ended.stdout + ended.stderr
