"""A run is evaluated from its folder alone: files, MLflow and the printed table hold the metrics of its predictions."""

import json

import numpy as np
import pandas as pd
import pytest
from jsonschema import Draft202012Validator
from mlflow import MlflowClient
from sklearn.metrics import roc_auc_score

from scangen_bundle.errors import InputError
from scangen_bundle.runs import RunFolder, RunTracker, evaluate_run
from scangen_bundle.runs.evaluation import choose_threshold, tracked_figures
from scangen_bundle.runs.history import add_epoch
from scangen_bundle.runs.vectors import write_vectors

from ..two_processes import in_two_processes
from .finished_run import scans, write_finished_run


@pytest.fixture(autouse=True)
def _no_tracking_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def run(tmp_path):
    return write_finished_run(tmp_path / "outputs" / "run")


def test_the_folder_and_mlflow_hold_the_metrics_of_the_test_predictions(bundle_root, run, capsys):
    tracker = RunTracker(run.path.parent, run.path)
    metrics = evaluate_run(run.path, resamples=50, tracker=tracker)
    assert metrics == json.loads(run.metrics.read_text())
    Draft202012Validator(json.loads((bundle_root / "docs" / "metrics.schema.json").read_text())).validate(metrics)
    assert metrics["settings"]["class_names"] == ["negative", "positive"]
    assert metrics["settings"]["unseen_scanners"] == ["B"]
    predicted = pd.read_csv(run.predictions)
    for scanner, rows in predicted.groupby("scanner"):
        expected = roc_auc_score(rows.label, rows.probability)
        assert metrics["figures"][f"auroc/{scanner}"]["value"] == pytest.approx(expected, abs=1e-12)

    tracked = MlflowClient(tracker.uri).get_run(tracker.run_id)
    assert tracked.info.status == "FINISHED"
    assert tracked.data.metrics["test/auroc/A"] == metrics["figures"]["auroc/A"]["value"]
    assert any(name.startswith("test/embedding/") for name in tracked.data.metrics)
    for key, name in {"auroc/mean": "auroc_mean", "flip_rate": "flip_rate", "logit_icc": "icc_of_the_logit"}.items():
        assert tracked.data.metrics[name] == metrics["figures"][key]["value"]
    assert len([name for name in tracked.data.metrics if "/" not in name]) <= 6
    tags = tracked.data.tags
    assert (tags["method"], tags["scanners"], tags["unseen_scanners"]) == ("scangen", "A", "B")
    assert "**run**: method scangen, encoder efficientnet-lite0." in tags["mlflow.note.content"]
    assert "Research use only" in tags["mlflow.note.content"]
    assert tags["mlflow.source.name"].startswith("scangen_bundle ")
    inputs = {item.tags[0].value: json.loads(item.dataset.profile) for item in tracked.inputs.dataset_inputs}
    assert {split: profile["num_rows"] for split, profile in inputs.items()} == {"train": 6, "val": 12, "test": 16}
    artifacts = {item.path for item in MlflowClient(tracker.uri).list_artifacts(tracker.run_id)}
    results = {"predictions.csv", "predictions.parquet", "metrics.json", "report.html"}
    training = {"val_predictions.csv", "splits.csv", "settings.yaml", "models"}
    assert artifacts == results | training  # enough to pack the run from MLflow
    (weights,) = MlflowClient(tracker.uri).list_artifacts(tracker.run_id, "models")
    assert weights.path == "models/best.pt"

    printed = capsys.readouterr().out
    assert f"{metrics['figures']['auroc/A']['value']:.3f}" in printed
    assert "B *" in printed
    assert "Research use only" in printed


def test_the_report_shows_what_the_folder_holds_and_no_more(run):
    evaluate_run(run.path, resamples=20)
    page = run.report.read_text()
    assert 'id="embedding-pca-scanner"' in page
    assert "train/loss" not in page
    assert "max_epochs 30" in page
    add_epoch(run.history, 1, {"train/loss": 0.5})
    run.embeddings.unlink()
    evaluate_run(run.path, resamples=20)
    page = run.report.read_text()
    assert 'id="embedding-pca-scanner"' not in page
    assert "train/loss" in page


def test_what_colours_alone_tell_of_the_scanner_is_reported_with_the_embeddings(run):
    slides = scans(8, 20)
    colours = {row.slide_id: np.array([1.0 if row.scanner == "A" else -1.0, 1.0]) for row in slides.itertuples()}
    write_vectors(run.colours, colours)
    probe = evaluate_run(run.path, resamples=20)["embedding"]["scanner_probe/knn_colour"]
    assert (probe["value"], probe["baseline"]) == (1, 0.5)


def test_three_classes_have_macro_figures_and_need_no_threshold(tmp_path):
    run = write_finished_run(tmp_path, class_names=["a", "b", "c"])
    table = scans(9, 20)
    table["label"] = np.repeat(np.arange(9) % 3, 2)
    probability = np.random.default_rng(0).dirichlet([1, 1, 1], len(table))
    for number in range(3):
        table[f"probability_{number}"] = probability[:, number]
    table.to_csv(run.predictions, index=False)
    run.embeddings.unlink()
    metrics = evaluate_run(run.path, resamples=20)
    rows = table[table.scanner == "A"]
    expected = np.mean([roc_auc_score(rows.label == c, rows[f"probability_{c}"]) for c in range(3)])
    assert metrics["figures"]["auroc/A"]["value"] == pytest.approx(expected, abs=1e-12)
    assert metrics["settings"]["threshold"] is None
    page = run.report.read_text()
    assert all(f'id="roc-{name}-a"' in page for name in "abc")


@pytest.mark.parametrize("name", ["predictions", "val_predictions", "splits", "settings"])
def test_a_missing_file_is_named_and_no_old_metrics_stay(run, name):
    evaluate_run(run.path, resamples=20)
    getattr(run, name).unlink()
    with pytest.raises(InputError, match=r"\.csv|earlier version"):
        evaluate_run(run.path, resamples=20)
    assert not run.metrics.exists()


def test_metrics_are_written_last_since_they_stand_for_a_finished_evaluation(run, monkeypatch):
    evaluate_run(run.path, resamples=20)

    def die(*args, **options):
        assert not run.metrics.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr("scangen_bundle.report.html.write_report", die)
    with pytest.raises(KeyboardInterrupt):
        evaluate_run(run.path, resamples=20)
    assert not run.metrics.exists()


def test_a_failed_evaluation_is_marked_in_mlflow(run):
    tracker = RunTracker(run.path.parent, run.path)
    run.predictions.write_text("slide_id\n")
    with pytest.raises(InputError, match="has no column specimen_id, patient_id, scanner, label"):
        evaluate_run(run.path, tracker=tracker)
    assert MlflowClient(tracker.uri).get_run(tracker.run_id).info.status == "FAILED"


def test_one_class_in_validation_is_said_and_not_guessed_around(caplog):
    table = pd.DataFrame({"label": [1, 1, -1], "probability": [0.3, 0.4, 0.9]})
    threshold, sensitivity, source = choose_threshold(table, "val.csv")
    assert (threshold, sensitivity) == (0.5, None)
    assert "one class" in source
    assert "val.csv" in caplog.text


def test_the_threshold_lies_midway_between_the_labelled_validation_scans_that_it_tells_apart():
    table = pd.DataFrame({"label": [0, 1, -1, -1], "probability": [0.2, 0.8, 0.45, 0.55]})
    assert choose_threshold(table, "")[:2] == (0.5, 1.0)


def test_undefined_figures_and_those_of_pairs_are_not_tracked():
    figures = {"auroc/GT450 (lab+1)": 0.5, "auroc/mean": None, "ccc/A vs B": 0.9, "cov": 0.1}
    metrics = {"figures": {key: {"value": value} for key, value in figures.items()}}
    assert tracked_figures(metrics) == {"test/auroc/GT450 (lab+1)": 0.5, "test/cov": 0.1}


def _evaluate(rank, path):
    return len(evaluate_run(path, resamples=10))


def test_of_several_processes_the_first_evaluates(run):
    first, second = in_two_processes(_evaluate, str(run.path))
    assert first > 0
    assert second == 0
    assert RunFolder(run.path).metrics.is_file()
