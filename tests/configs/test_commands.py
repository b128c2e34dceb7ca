"""Each command of the README does what it says, on a small cohort."""

import json

import nibabel
import pandas as pd
import pytest
from monai.bundle import create_workflow
from sklearn.metrics import roc_auc_score

from .conftest import UNSEEN


@pytest.fixture(scope="module")
def evaluated(trained):
    trained.run(
        "evaluating",
        "configs/evaluate.yaml",
        *("--run_dir", str(trained.outputs / "scangen"), "--resamples", "100"),
    )
    return trained.outputs / "scangen"


def test_extraction_writes_one_bag_per_scan(bundle):
    manifest = pd.read_csv(bundle.data / "manifest.csv")
    bags = {path.stem for path in (bundle.data / "features" / "efficientnet-lite0").glob("*.h5")}
    assert bags == set(manifest.slide_id)
    assert len(bags) == 12 * 6


def test_training_keeps_checkpoints_splits_and_validation_predictions(trained):
    run = trained.outputs / "scangen"
    assert {path.name for path in (run / "models").iterdir()} == {"best.pt", "last.pt"}
    splits = pd.read_csv(run / "splits.csv")
    manifest = pd.read_csv(trained.data / "manifest.csv")
    table = manifest.drop(columns="split").merge(splits[["slide_id", "split"]], on="slide_id")
    assert set(table[table.scanner == UNSEEN].split) <= {"test", "excluded"}
    patients = table[table.split.isin(["train", "val", "test"])].groupby("patient_id").split.nunique()
    assert (patients == 1).all()
    validated = pd.read_csv(run / "val_predictions.csv")
    assert set(validated.slide_id) == set(table[table.split == "val"].slide_id)


def test_evaluation_reports_each_scanner_of_the_held_out_patients(evaluated):
    predictions = pd.read_csv(evaluated / "predictions.csv")
    splits = pd.read_csv(evaluated / "splits.csv")
    assert set(predictions.slide_id) == set(splits[splits.split == "test"].slide_id)
    assert UNSEEN in set(predictions.scanner)
    written = json.loads((evaluated / "metrics.json").read_text())
    assert "schema_version" in written
    text = json.dumps(written)
    for scanner, scans in predictions.groupby("scanner"):
        assert scanner in text
        if scans.label.nunique() == 2:
            assert repr(round(roc_auc_score(scans.label, scans.probability), 10))[:8] in text


def test_evaluation_logs_to_the_run_of_its_training(evaluated, trained):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{trained.outputs / 'mlflow.db'}")
    run = client.get_run((evaluated / "mlflow_run.txt").read_text())
    names = run.data.metrics.keys()
    assert {"train/loss", "train/loss_task", "train/loss_scangen", "val/auroc/mean", "test/auroc/mean"} <= names
    assert f"test/auroc/{UNSEEN}" in names
    artifacts = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert {"metrics.json", "predictions.csv", "report.html"} <= artifacts


def test_the_last_epoch_is_validated_where_the_interval_does_not_meet_it(trained):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{trained.outputs / 'mlflow.db'}")
    run = (trained.outputs / "scangen" / "mlflow_run.txt").read_text()
    assert [point.step for point in client.get_metric_history(run, "val/auroc/mean")] == [2, 3]


def test_a_finished_training_is_not_repeated(trained):
    last = trained.outputs / "scangen" / "models" / "last.pt"
    before = last.stat().st_mtime_ns
    trained.train("scangen", "--unseen_scanners", f"['{UNSEEN}']")
    assert last.stat().st_mtime_ns == before


def test_inference_writes_probabilities_and_attention_with_its_physical_size(trained, tmp_path):
    manifest = pd.read_csv(trained.data / "manifest.csv").head(3)
    manifest["label"] = ""
    manifest["slide_path"] = [str(trained.data / path) for path in manifest.slide_path]
    manifest.to_csv(tmp_path / "manifest.csv", index=False)
    trained.run(
        "inferring",
        "configs/inference.yaml",
        *("--dataset_dir", str(tmp_path), "--allow_outside", "True"),
        *("--features_dir", str(trained.data / "features" / "efficientnet-lite0")),
        *("--run_dir", str(trained.outputs / "scangen"), "--prediction_dir", str(tmp_path / "out")),
    )
    predictions = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert predictions.slide_id.tolist() == sorted(manifest.slide_id)
    assert predictions.probability.between(0, 1).all()
    for slide_id in manifest.slide_id:
        assert (tmp_path / "out" / "attention" / f"{slide_id}.png").stat().st_size > 10_000
        image = nibabel.load(tmp_path / "out" / "attention" / f"{slide_id}.nii.gz")
        # four raster pixels along a tile of 224 px at 0.5 µm/px
        assert image.header.get_zooms()[0] == pytest.approx(224 * 0.5 / 4 / 1000, rel=1e-4)


def test_a_network_takes_its_method_along_unasked(bundle, tmp_path):
    where = ("--run_dir", str(bundle.outputs / "standardised"))
    bundle.train("standardised", "--unseen_scanners", f"['{UNSEEN}']", "--method", "standardise+scangen")
    ended = bundle.run("evaluating", "configs/evaluate.yaml", *where, "--resamples", "100")
    assert "* not seen in training, though some methods were fitted on training patients' scans of it" in ended.stdout
    bundle.run("inferring", "configs/inference.yaml", *where, "--prediction_dir", str(tmp_path))
    evaluated, inferred = (pd.read_csv(f / "predictions.csv") for f in (bundle.outputs / "standardised", tmp_path))
    both = evaluated.merge(inferred, on="slide_id")
    assert set(both.scanner_x) == {f"scanner-{number}" for number in range(1, 7)}
    assert both.probability_x.to_numpy() == pytest.approx(both.probability_y.to_numpy(), abs=1e-6)
    metrics = json.loads((bundle.outputs / "standardised" / "metrics.json").read_text())
    assert metrics["settings"]["method"] == "standardise+scangen"

    manifest = pd.read_csv(bundle.data / "manifest.csv")
    manifest["scanner"] = manifest.scanner.replace(UNSEEN, "scanner-7")
    manifest.to_csv(bundle.data / "renamed.csv", index=False)
    renamed = ("--manifest_path", str(bundle.data / "renamed.csv"), "--prediction_dir", str(tmp_path / "renamed"))
    refused = bundle.run("inferring", "configs/inference.yaml", *where, *renamed, fails=True)
    assert "error: scanner scanner-7: " in refused.stderr
    assert not (tmp_path / "renamed" / "predictions.csv").exists()
    ended = bundle.run("inferring", "configs/inference.yaml", *where, *renamed, "--new_scanners", "True")
    assert "scanner scanner-7 is new: its moments are those of its 12 scans at hand" in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("kind", "config", "without"),
    [
        ("train", "train.yaml", []),
        ("infer", "evaluate.yaml", ["preprocessing", "key_metric"]),  # metrics need the whole cohort
        ("infer", "inference.yaml", ["key_metric"]),  # there are no labels to compute one from
    ],
)
def test_every_property_of_monais_workflows_resolves(trained, kind, config, without, monkeypatch):
    monkeypatch.chdir(trained.root)
    workflow = create_workflow(
        config_file=str(trained.root / "configs" / config),
        workflow_type=kind,
        meta_file=str(trained.root / "configs" / "metadata.json"),
        dataset_dir=str(trained.data),
        output_dir=str(trained.outputs),
        **({"unseen_scanners": [UNSEEN]} if kind == "train" else {}),
    )
    assert workflow.check_properties() == []
    missing = [name for name in workflow.properties if getattr(workflow, name, None) is None]
    assert missing == without
    workflow.finalize()
