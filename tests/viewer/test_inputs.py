"""What a run left is read whole, or refused with a reason."""

import json

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.viewer.inputs import read_viewed_run


def write_run(folder, rows, columns="slide_id specimen_id patient_id scanner label probability", settings=None):
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=columns.split()).to_csv(folder / "predictions.csv", index=False)
    if settings is not None:
        (folder / "metrics.json").write_text(json.dumps({"settings": settings}))
    return folder


def test_scans_are_numbered_by_specimen_scanner_and_id(viewed):
    assert viewed.name == "mine"
    assert viewed.specimens == ("spec000", "spec001", "spec002")
    assert viewed.scanners == tuple(f"scanner-{n}" for n in range(1, 7))
    assert viewed.scans_of(1) == range(6, 12)
    assert viewed.scanner.tolist() == [0, 1, 2, 3, 4, 5] * 3
    assert viewed.specimen.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert viewed.probability[6].tolist() == pytest.approx([0.55, 0.45])
    assert viewed.threshold == 0.5
    assert viewed.class_names == ("wild type", "mutated")
    assert viewed.unseen == {"scanner-6"}
    assert set(viewed.files) == set(range(18))
    assert viewed.files[7].slide_path.endswith("spec001_scanner-2.tif")


def test_a_run_without_manifest_and_metrics_has_probabilities_alone(tmp_path):
    run = read_viewed_run(write_run(tmp_path / "r", [("b", "s", "p", "x", "", 0.2), ("a", "s", "p", "x", "", "")]))
    assert run.files == {}
    assert run.threshold is None
    assert run.class_names == ("class 0", "class 1")
    assert run.labels.tolist() == [-1]
    assert run.scans["slide_id"].tolist() == ["a", "b"]
    assert np.isnan(run.probability[0]).all()
    assert run.checkpoint is None
    assert run.attention is None


def test_an_inference_is_read_with_the_threshold_of_its_run(tmp_path):
    write_run(tmp_path / "run" / "inference", [("a", "s", "p", "x", 1, 0.9)])
    (tmp_path / "run" / "metrics.json").write_text('{"settings": {"threshold": 0.3}}')
    for folder in (tmp_path / "run", tmp_path / "run" / "inference"):
        run = read_viewed_run(folder)
        assert run.name == "run"
        assert run.threshold == 0.3


def test_bags_are_found_by_name_where_the_manifest_does_not_name_them(run_folder, phantom, tmp_path):
    run = read_viewed_run(run_folder, phantom / "manifest.csv", features_dir=tmp_path)
    assert run.files[0].features_path == str(tmp_path / "spec000_scanner-1.h5")
    assert read_viewed_run(run_folder, features_dir=tmp_path).files[0].slide_path == ""


def test_a_run_that_knows_its_data_needs_no_manifest(tmp_path, phantom, run_folder):
    folder = write_run(tmp_path / "r", [("spec000_scanner-1", "spec000", "pat000", "scanner-1", 1, 0.9)])
    (folder / "settings.yaml").write_text(f"dataset_dir: {phantom}\nmanifest_path: $@dataset_dir + '/manifest.csv'\n")
    assert read_viewed_run(folder).files[0].slide_path == str(phantom / "slides" / "spec000_scanner-1.svs")
    (folder / "settings.yaml").write_text("manifest_path: /nowhere/manifest.csv\n")
    assert read_viewed_run(folder).files == {}


def test_three_classes_have_no_threshold(tmp_path):
    columns = "slide_id specimen_id patient_id scanner label probability_0 probability_1 probability_2"
    run = read_viewed_run(
        write_run(tmp_path / "r", [("a", "s", "p", "x", 2, 0.2, 0.3, 0.5)], columns, {"threshold": 0.5})
    )
    assert run.probability.tolist() == [[0.2, 0.3, 0.5]]
    assert run.threshold is None


def test_ids_stay_text_and_a_specimen_has_the_label_of_its_labelled_scans(tmp_path):
    rows = [("007", "01", "NA", "x", "", 0.2), ("008", "01", "NA", "y", "1", 0.4)]
    run = read_viewed_run(write_run(tmp_path / "r", rows))
    assert run.specimens == ("01",)
    assert run.scans["patient_id"].tolist() == ["NA", "NA"]
    assert run.labels.tolist() == [1]


@pytest.mark.parametrize(
    ("rows", "columns", "problem"),
    [
        ([], "slide_id specimen_id scanner probability", "no rows"),
        ([("a", 0.2)], "slide_id probability", "no column specimen_id, scanner"),
        ([("a", "s", "x", 0.2)], "slide_id specimen_id scanner score", "expected a column 'probability'"),
    ],
)
def test_a_table_that_cannot_be_viewed_is_refused(tmp_path, rows, columns, problem):
    with pytest.raises(InputError, match=problem):
        read_viewed_run(write_run(tmp_path / "r", rows, columns))


def test_a_folder_without_predictions_and_a_damaged_metrics_file_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"no predictions\.csv"):
        read_viewed_run(tmp_path)
    write_run(tmp_path, [("a", "s", "p", "x", 1, 0.9)])
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(InputError, match="no metrics file"):
        read_viewed_run(tmp_path)
