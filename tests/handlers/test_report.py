"""The evaluation handler writes, tracks and prints what the metrics room computes from the test predictions."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from jsonschema import Draft202012Validator
from mlflow import MlflowClient
from sklearn.metrics import roc_auc_score

from scangen_bundle.errors import InputError
from scangen_bundle.handlers.predictions import PredictionsHandler
from scangen_bundle.handlers.report import EvaluationHandler, choose_threshold, tracked_figures
from scangen_bundle.handlers.tracking import RunTracker

from .engines import Bags, Network, make_evaluator
from .test_predictions import manifest


@pytest.fixture(autouse=True)
def _no_tracking_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


class Embedded(Network):
    """The small network with its embedding as a submodule."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Identity()

    def forward(self, image):
        return self.head(self.embedding(image.mean(dim=1)))


def cohort():
    """Labels 0, 0, 1, 1 by specimen, so that both scanners have both classes."""
    table = manifest()
    return table.assign(label=(table["specimen_id"].str[1:].astype(int) % 2).astype("int64"))


def validation(folder, labels=(0, 1, 0, 1)):
    table = pd.DataFrame({"slide_id": list("abcd"), "specimen_id": list("abcd"), "patient_id": ["001", "NA", "c", "d"]})
    table = table.assign(scanner="A", label=labels, probability=[0.2, 0.7, 0.4, 0.9])
    table.to_csv(folder / "val_predictions.csv", index=False)
    return str(folder / "val_predictions.csv")


def test_the_run_folder_and_mlflow_hold_the_figures_of_the_test_predictions(bundle_root, tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    network, tracker = Embedded(), RunTracker(tmp_path, run)
    tracker.log_metrics({"train/loss": 0.5, "val/auroc/mean": 0.75}, step=1)
    predictions = PredictionsHandler(cohort(), str(run / "predictions.csv"))
    handler = EvaluationHandler(
        predictions,
        validation(run),
        str(run),
        tracker,
        ["A"],
        network=network,
        resamples=50,
        checkpoint=str(run / "best.pt"),
    )
    for name in ("best.pt", "splits.csv"):
        (run / name).write_text(name)
    make_evaluator(network, [predictions, handler]).run()

    metrics = json.loads((run / "metrics.json").read_text())
    Draft202012Validator(json.loads((bundle_root / "docs" / "metrics.schema.json").read_text())).validate(metrics)
    assert metrics["settings"]["class_names"] == ["negative", "positive"]
    assert metrics["settings"]["unseen_scanners"] == ["B"]
    assert metrics["settings"]["threshold"] == pytest.approx(0.55)  # midway between 0.4 (negative) and 0.7 (positive)
    assert metrics["settings"]["validation_sensitivity"] == 1
    written = pd.read_csv(run / "predictions.csv")
    for scanner in "AB":
        scans = written[written.scanner == scanner]
        expected = roc_auc_score(scans.label, scans.probability)
        assert metrics["figures"][f"auroc/{scanner}"]["value"] == pytest.approx(expected, abs=1e-12)

    tracked = MlflowClient(tracker.uri).get_run(tracker.run_id)
    assert tracked.info.status == "FINISHED"
    assert tracked.data.metrics["test/auroc/A"] == metrics["figures"]["auroc/A"]["value"]
    assert tracked.data.metrics["test/embedding/retrieval/top1"] == metrics["embedding"]["retrieval/top1"]["value"]
    assert {"test/auroc/mean", "test/auroc/worst", "test/flip_rate"} <= set(tracked.data.metrics)
    artifacts = {item.path for item in MlflowClient(tracker.uri).list_artifacts(tracker.run_id)}
    results = {"predictions.csv", "predictions.parquet", "metrics.json", "report.html"}
    assert artifacts == results | {"val_predictions.csv", "splits.csv", "models"}  # enough to pack the run from MLflow
    (weights,) = MlflowClient(tracker.uri).list_artifacts(tracker.run_id, "models")
    assert weights.path == "models/best.pt"

    saved = np.load(run / "embeddings.npz")
    assert saved["slide_id"].tolist() == written.slide_id.tolist()
    np.testing.assert_allclose(saved["embedding"], Bags().image.mean(dim=1).numpy(), rtol=1e-6)
    page = (run / "report.html").read_text()
    assert 'id="embedding-pca-scanner"' in page
    assert 'id="embedding-figures"' in page
    assert "train/loss" in page
    printed = capsys.readouterr().out
    assert f"{metrics['figures']['auroc/A']['value']:.3f}" in printed
    assert "B *" in printed
    assert "Research use only" in printed


def test_without_validation_predictions_the_run_stops_before_it_starts(tmp_path):
    network = Embedded()
    predictions = PredictionsHandler(cohort(), str(tmp_path / "predictions.csv"))
    handler = EvaluationHandler(predictions, str(tmp_path / "val_predictions.csv"), str(tmp_path))
    with pytest.raises(InputError, match="train this run first"):
        make_evaluator(network, [predictions, handler]).run()
    assert not (tmp_path / "predictions.csv").exists()


def test_one_class_in_validation_is_said_and_not_guessed_around(caplog):
    table = pd.DataFrame({"label": [1, 1, -1], "probability": [0.3, 0.4, 0.9]})
    threshold, sensitivity, source = choose_threshold(table, "val.csv")
    assert (threshold, sensitivity) == (0.5, None)
    assert "one class" in source
    assert "val.csv" in caplog.text


def test_unlabelled_validation_scans_do_not_move_the_threshold():
    table = pd.DataFrame({"label": [0, 1, -1, -1], "probability": [0.2, 0.8, 0.45, 0.55]})
    assert choose_threshold(table, "")[:2] == (0.5, 1.0)


def test_tracked_names_are_such_as_mlflow_takes_and_undefined_figures_have_none():
    figures = {"auroc/GT450 (lab+1)": 0.5, "auroc/mean": None, "ccc/A vs B": 0.9, "cov": 0.1}
    metrics = {"figures": {key: {"value": value} for key, value in figures.items()}}
    assert tracked_figures(metrics) == {"test/auroc/GT450 _lab_1_": 0.5, "test/cov": 0.1}
