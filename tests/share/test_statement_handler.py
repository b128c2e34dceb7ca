"""A prediction comes with what is to be known of it, and a slide unlike the training's never without a warning."""

import logging
import shutil

import numpy as np
import pytest

from scangen_bundle.runs import read_predictions
from scangen_bundle.share.run_reference import read_reference
from scangen_bundle.share.statement_handler import captions, complete_table, report


@pytest.fixture(scope="module")
def run(trained_run, tmp_path_factory):
    """A copy of a run whose bags are where its settings say."""
    folder = tmp_path_factory.mktemp("stated") / "run"
    shutil.copytree(trained_run[0], folder)
    return folder


@pytest.fixture(scope="module")
def known(run):
    return read_reference(run / "models" / "best.pt")


def statements(run, trained_run, known, factor=1.0):
    table = read_predictions(run / "val_predictions.csv").head(4)
    mean = known.reference.novelty.mean
    vectors = dict.fromkeys(table["slide_id"], mean * factor)
    paths = {slide_id: str(trained_run[1] / f"{slide_id}.h5") for slide_id in table["slide_id"]}
    return complete_table(table, vectors, paths, known, ["negative", "positive"])


def test_the_validation_numbers_are_made_once_and_lie_beside_the_weights(run, known):
    assert known.reference is not None, known.problem
    written = run / "models" / "site_reference.json"
    before = written.stat().st_mtime_ns
    again = read_reference(run / "models" / "best.pt")
    assert written.stat().st_mtime_ns == before
    assert again.threshold == known.threshold
    np.testing.assert_array_equal(again.reference.novelty.mean, known.reference.novelty.mean)


def test_class_threshold_scanner_novelty_and_set_are_columns(run, trained_run, known):
    table = statements(run, trained_run, known)
    called = ["positive" if p >= known.threshold else "negative" for p in table["probability"]]
    assert table["predicted_class"].tolist() == called
    assert set(table["threshold"]) == {known.threshold}
    assert table["scanner_known"].all()
    assert not table["far_from_training"].any()
    assert set("|".join(table["prediction_set"]).split("|")) <= {"negative", "positive", ""}


def test_a_slide_far_from_training_is_named_with_its_class(run, trained_run, known, caplog):
    table = statements(run, trained_run, known, factor=1e4)
    assert table["far_from_training"].all()
    assert all("FAR FROM TRAINING" in line for line in captions(table).values())
    with caplog.at_level(logging.WARNING):
        report(table, known)
    assert "4 of 4 slides are far from training: their answers mean little" in caplog.text
    assert f"{table.slide_id[0]}, called {table.predicted_class[0]}" in caplog.text


def test_without_the_validation_bags_it_says_that_it_does_not_know(trained_run, run, tmp_path, caplog, capsys):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "models" / "site_reference.json").unlink()
    settings = (copy / "settings.yaml").read_text()
    lines = [
        f"features_dir: {tmp_path}/gone" if line.startswith("features_dir:") else line for line in settings.split("\n")
    ]
    (copy / "settings.yaml").write_text("\n".join(lines))
    known = read_reference(copy / "models" / "best.pt")
    assert known.reference is None
    assert known.threshold is not None
    table = complete_table(read_predictions(copy / "val_predictions.csv"), {}, {}, known, ["negative", "positive"])
    assert set(table["far_from_training"]) == {""}
    with caplog.at_level(logging.WARNING):
        report(table, known)
    assert "is not known (no novelty, no prediction sets)" in caplog.text
    assert "Research use only" in capsys.readouterr().out
