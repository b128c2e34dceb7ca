"""The splits that a network was trained with stay those that it is evaluated with."""

import pandas as pd
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.runs.splits import check_same_splits, read_splits, with_splits, write_splits

from .finished_run import scans


@pytest.fixture
def table():
    splits = ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    return scans(4).assign(split=splits, mpp=0.25)


def test_the_file_does_not_depend_on_the_order_of_the_scans(table, tmp_path):
    write_splits(table, tmp_path / "a.csv")
    write_splits(table.sample(frac=1, random_state=0), tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert list(read_splits(tmp_path / "a.csv").columns) == [
        "slide_id",
        "specimen_id",
        "patient_id",
        "scanner",
        "label",
        "split",
    ]
    check_same_splits(table, tmp_path / "a.csv")


def test_a_scan_that_changed_its_split_is_named(table, tmp_path):
    write_splits(table, tmp_path / "splits.csv")
    table.loc[0, "split"] = "test"
    with pytest.raises(InputError, match=r"the splits have changed for 1 scans \(s0A\)"):
        check_same_splits(table, tmp_path / "splits.csv")
    with pytest.raises(InputError, match="the splits have changed for 2 scans"):
        check_same_splits(table.iloc[1:-1].assign(split=table.split), tmp_path / "splits.csv")


def test_a_manifest_gets_the_splits_of_the_training_in_its_own_order(table, tmp_path):
    write_splits(table, tmp_path / "splits.csv")
    manifest = table.drop(columns="split").sample(frac=1, random_state=1)
    found = with_splits(manifest, tmp_path / "splits.csv", "m.csv")
    pd.testing.assert_series_equal(found["split"], table.loc[manifest.index, "split"], check_dtype=False)
    assert found["slide_id"].tolist() == manifest["slide_id"].tolist()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t: t.iloc[1:], r"1 scans of the training are missing \(s0A\)"),
        (lambda t: pd.concat([t, t.tail(1).assign(slide_id="new")]), r"1 scans are new \(new\)"),
        (
            lambda t: t.assign(scanner=["C", *t["scanner"][1:]]),
            r"scanner differs from the training's for 1 scans \(s0A\)",
        ),
        (lambda t: t.assign(patient_id="x"), "patient_id differs from the training's for 8 scans"),
    ],
)
def test_another_cohort_than_the_trainings_is_refused(table, tmp_path, spoil, said):
    write_splits(table, tmp_path / "splits.csv")
    with pytest.raises(InputError, match=said):
        with_splits(spoil(table.drop(columns="split")), tmp_path / "splits.csv", "m.csv")


def test_a_corrected_label_is_a_warning(table, tmp_path, caplog):
    write_splits(table, tmp_path / "splits.csv")
    with_splits(table.assign(label=[1, 1, *table["label"][2:]]), tmp_path / "splits.csv", "m.csv")
    assert "2 scans have another label than in training (s0A, s0B)" in caplog.text


def test_a_file_that_holds_no_splits_is_named(tmp_path):
    (tmp_path / "splits.csv").write_text("something else\n")
    for path in (tmp_path / "splits.csv", tmp_path / "absent.csv"):
        with pytest.raises(InputError, match="is no file of splits"):
            read_splits(path)
