"""The evaluation handler writes, tracks and prints what the metrics room computes from the test predictions."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from jsonschema import Draft202012Validator
from mlflow import MlflowClient
from sklearn.metrics import roc_auc_score

from scangen_bundle.errors import InputError
from scangen_bundle.runs.checkpoint import save_checkpoint
from scangen_bundle.runs.tracking import RunTracker
from scangen_bundle.testing import make_bag
from scangen_bundle.training.predictions import PredictionsHandler
from scangen_bundle.training.report import EvaluationHandler, choose_threshold, tracked_figures

from ..two_processes import in_two_processes
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
    (run / "splits.csv").write_text("splits")
    save_checkpoint(run / "best.pt", {"network": {}, "meta": {"settings": {"scangen_weight": 12.5}}})
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
    assert (
        tracked.data.metrics["test/embedding/specimen_retrieval/top1"]
        == metrics["embedding"]["specimen_retrieval/top1"]["value"]
    )
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
    assert "scangen_weight 12.5" in page  # as the checkpoint says, whatever this command's settings are
    printed = capsys.readouterr().out
    assert f"{metrics['figures']['auroc/A']['value']:.3f}" in printed
    assert "B *" in printed
    assert "Research use only" in printed


def colour_bag(path, red):
    """Two tiles around a colour that each scanner has for itself."""
    features = np.array([[red - 0.1, 1.0], [red + 0.1, 1.0]], dtype=np.float32)
    coords = np.array([[0, 0], [9, 0]])
    make_bag(path, features, coords, encoder="colour-statistics", pooling="own", source_mpp_x=0.5, source_mpp_y=0.5)


def test_what_colours_alone_tell_of_the_scanner_stands_beside_the_embeddings(tmp_path, caplog):
    network, table = Embedded(), cohort()
    colours = tmp_path / "colours"
    colours.mkdir()
    for row in table.itertuples():
        colour_bag(colours / f"{row.slide_id}.h5", 1.0 if row.scanner == "A" else -1.0)
    predictions = PredictionsHandler(table, str(tmp_path / "predictions.csv"))
    options = {"network": network, "resamples": 20, "colours_dir": str(colours)}
    handler = EvaluationHandler(predictions, validation(tmp_path), str(tmp_path), **options)
    make_evaluator(network, [predictions, handler]).run()
    probe = handler.metrics["embedding"]["scanner_probe/knn_colour"]
    assert (probe["value"], probe["baseline"]) == (1, 0.5)
    assert "scanner probe, kNN, of colours" in (tmp_path / "report.html").read_text()

    (colours / "s0.h5").unlink()
    caplog.set_level("INFO")
    make_evaluator(network, [predictions, handler]).run()
    assert "scanner_probe/knn_colour" not in handler.metrics["embedding"]
    assert "1 of 8 bags are not in" in caplog.text


class ThreeClasses(Embedded):
    """Three logits instead of two."""

    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(4, 3)


def test_three_classes_have_macro_figures_and_need_no_threshold(tmp_path):
    network = ThreeClasses()
    table = cohort()
    table["label"] = (table["specimen_id"].str[1:].astype(int) % 3).astype("int64")
    predictions = PredictionsHandler(table, str(tmp_path / "predictions.csv"))
    names = ["a", "b", "c"]
    handler = EvaluationHandler(
        predictions, validation(tmp_path), str(tmp_path), class_names=names, network=network, resamples=20
    )
    make_evaluator(network, [predictions, handler]).run()
    written = pd.read_csv(tmp_path / "predictions.csv")
    scans = written[written.scanner == "A"]
    expected = np.mean([roc_auc_score(scans.label == c, scans[f"probability_{c}"]) for c in range(3)])
    assert handler.metrics["figures"]["auroc/A"]["value"] == pytest.approx(expected, abs=1e-12)
    assert handler.metrics["settings"]["threshold"] is None
    page = (tmp_path / "report.html").read_text()
    assert all(f'id="roc-{name}-a"' in page for name in names)


def test_without_validation_predictions_the_run_stops_before_it_starts(tmp_path):
    network = Embedded()
    predictions = PredictionsHandler(cohort(), str(tmp_path / "predictions.csv"))
    handler = EvaluationHandler(predictions, str(tmp_path / "val_predictions.csv"), str(tmp_path))
    with pytest.raises(InputError, match="train this run first"):
        make_evaluator(network, [predictions, handler]).run()
    assert not (tmp_path / "predictions.csv").exists()


def test_a_threshold_of_another_epochs_network_is_refused_before_the_run(tmp_path):
    network = Embedded()
    table = pd.read_csv(validation(tmp_path), dtype={"patient_id": str}, keep_default_na=False)
    table.assign(epoch=12).to_csv(tmp_path / "val_predictions.csv", index=False)
    predictions = PredictionsHandler(cohort(), str(tmp_path / "predictions.csv"))
    options = {"resamples": 20, "checkpoint": str(tmp_path / "best.pt")}
    handler = EvaluationHandler(predictions, str(tmp_path / "val_predictions.csv"), str(tmp_path), **options)
    save_checkpoint(tmp_path / "best.pt", {"network": {}, "meta": {"epoch": 8}})
    with pytest.raises(
        InputError, match=r"val_predictions\.csv: is of epoch 12, the network of .*best\.pt of epoch 8 -> "
    ):
        make_evaluator(network, [predictions, handler]).run()
    assert not (tmp_path / "predictions.csv").exists()
    save_checkpoint(tmp_path / "best.pt", {"network": {}, "meta": {"epoch": 12}})
    make_evaluator(network, [predictions, handler]).run()
    assert (tmp_path / "metrics.json").exists()


def test_one_class_in_validation_is_said_and_not_guessed_around(caplog):
    table = pd.DataFrame({"label": [1, 1, -1], "probability": [0.3, 0.4, 0.9]})
    threshold, sensitivity, source = choose_threshold(table, "val.csv")
    assert (threshold, sensitivity) == (0.5, None)
    assert "one class" in source
    assert "val.csv" in caplog.text


def test_unlabelled_validation_scans_do_not_move_the_threshold():
    table = pd.DataFrame({"label": [0, 1, -1, -1], "probability": [0.2, 0.8, 0.45, 0.55]})
    assert choose_threshold(table, "")[:2] == (0.5, 1.0)


def test_undefined_figures_and_those_of_pairs_are_not_tracked():
    figures = {"auroc/GT450 (lab+1)": 0.5, "auroc/mean": None, "ccc/A vs B": 0.9, "cov": 0.1}
    metrics = {"figures": {key: {"value": value} for key, value in figures.items()}}
    assert tracked_figures(metrics) == {"test/auroc/GT450 (lab+1)": 0.5, "test/cov": 0.1}


def _evaluate_in_parallel(rank, folder):
    """Both processes evaluate all scans with the network inside DistributedDataParallel."""
    folder = Path(folder)
    network = torch.nn.parallel.DistributedDataParallel(Embedded())
    predictions = PredictionsHandler(cohort(), str(folder / "predictions.csv"))
    handler = EvaluationHandler(
        predictions, str(folder / "val_predictions.csv"), str(folder), network=network, resamples=20
    )
    make_evaluator(network, [predictions, handler]).run()
    return sorted(handler.metrics)


def test_two_processes_write_one_report_of_a_network_in_distributed_data_parallel(tmp_path):
    validation(tmp_path)
    first, second = in_two_processes(_evaluate_in_parallel, str(tmp_path))
    assert "embedding" in first
    assert second == []  # the first process alone evaluates and writes
    assert len(pd.read_csv(tmp_path / "predictions.csv")) == len(Bags())
    np.testing.assert_allclose(
        np.load(tmp_path / "embeddings.npz")["embedding"], Bags().image.mean(dim=1).numpy(), rtol=1e-6
    )
