"""The packed bundle: made by the command, in a process of its own, and used where nothing of the repository is."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from scangen_bundle.errors import InputError
from scangen_bundle.runs import RunTracker
from scangen_bundle.share.trained_run import fetch_run
from tests.share.conftest import DATA_SOURCE, git, make_checkout, pack, predict, track_run


def test_names_and_content(packed):
    archive, network, bundle = packed
    assert archive.name == "scangen_egfr_v0.1.0.zip"
    assert network.name == "scangen_egfr_v0.1.0.ts"
    for name in ("models/model.pt", "models/model.ts", "configs/inference.yaml", "docs/README.md", "LICENSE"):
        assert (bundle / name).is_file()
    assert (bundle / "docs" / "data_license.txt").is_file()


def test_metadata_tell_figures_encoder_and_commit(packed, checkout, trained_run):
    metadata = json.loads((packed[2] / "configs" / "metadata.json").read_text())
    figures = json.loads((trained_run[0] / "metrics.json").read_text())["figures"]
    assert metadata["eval_metrics"]["auroc/mean"] == figures["auroc/mean"]["value"]
    assert metadata["encoder"]["licence"] == "Apache-2.0"
    assert metadata["encoder"]["trained_on"] == "natural images"
    head = subprocess.run(["git", "-C", checkout, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert metadata["commit"] == head.stdout.strip()
    assert metadata["data_source"] == DATA_SOURCE
    card = (packed[2] / "docs" / "model_card.md").read_text()
    assert f"trained and tested on: {DATA_SOURCE}" in card
    assert "Research use only" in card
    assert "efficientnet-lite0" in card


def test_a_network_of_another_task_claims_nothing_of_egfr_nor_of_slides_that_nobody_named(checkout, trained_run):
    from scangen_bundle.share.package import packed_metadata
    from scangen_bundle.share.source import read_source
    from scangen_bundle.share.trained_run import read_trained_run

    shipped = json.loads((checkout / "configs" / "metadata.json").read_text())
    metadata = packed_metadata(shipped, "kras", "", read_source(checkout), read_trained_run(trained_run[0]))
    assert metadata["task"].startswith("kras")
    assert "egfr" not in json.dumps(metadata).lower()
    assert "not stated" in metadata["data_source"]


def test_what_the_packed_guides_name_is_packed(packed):
    named = set()
    for page in (packed[2] / "docs").glob("*.md"):
        named |= set(re.findall(r"\b(?:scripts|configs|docs)/[\w./-]*\w", page.read_text()))
    assert "scripts/label_egfr.py" in named
    assert [name for name in sorted(named) if not (packed[2] / name).exists()] == []


@pytest.fixture(scope="module")
def tracked(trained_run, tmp_path_factory):
    """(MLflow store that holds the run's files, id of the run)"""
    folder = tmp_path_factory.mktemp("tracked")
    shutil.copytree(trained_run[0], folder / "run")
    store = f"sqlite:///{folder / 'mlflow.db'}"
    return store, track_run(folder / "run", store)


def test_another_checkout_packs_the_same_bytes_from_mlflow_alone(checkout, trained_run, tracked, packed, tmp_path):
    """The run's folder is not named: its files come from the store of its id. Nor does the number of threads matter."""
    other = tmp_path / "other"
    git(checkout, "clone", "-q", str(checkout), str(other))
    store, run_id = tracked
    done = pack(other, run_id, trained_run[1], tmp_path / "again", MLFLOW_TRACKING_URI=store, OMP_NUM_THREADS="2")
    assert done.returncode == 0, done.stderr
    for before, after in zip(packed[:2], map(Path, done.stdout.split()), strict=True):
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (before, after)]
        assert digests[0] == digests[1], before.name


def test_an_id_that_mlflow_does_not_know_is_said(tracked, tmp_path):
    with pytest.raises(InputError, match="knows no such run"):
        fetch_run("nobody", tracked[0], tmp_path)


def test_a_run_without_its_network_in_mlflow_is_said(tmp_path):
    tracker = RunTracker(tmp_path, tmp_path / "run")
    tracker.log_metrics({"train/loss": 1.0})
    with pytest.raises(InputError, match="has no artifact models"):
        fetch_run(tracker.run_id, tracker.uri, tmp_path)


def test_exported_network_predicts_like_the_run(packed, trained_run):
    from scangen_bundle.bags import open_bag
    from scangen_bundle.share.export import load_exported

    run, features = trained_run
    network, metadata, files = load_exported(packed[1])
    assert json.loads(files["site_reference.json"])["class_names"] == ["negative", "positive"]
    row = pd.read_csv(run / "predictions.csv").iloc[0]
    with torch.no_grad():
        probability = network(torch.from_numpy(open_bag(features / f"{row.slide_id}.h5").rows())[None])
    assert abs(probability[0, 1].item() - row.probability) < 1e-6
    assert metadata["slide_classifier"]["features"]["encoder"] == "efficientnet-lite0"


class TestRefusals:
    """In this process: each call ends before anything is written."""

    def refuse(self, root, run, features, match, tmp_path):
        from scangen_bundle.share.package import package_bundle

        with pytest.raises(InputError, match=match):
            package_bundle(root, run, str(features), "egfr", tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def copy(self, trained_run, tmp_path):
        shutil.copytree(trained_run[0], tmp_path / "run")
        return tmp_path / "run"

    def test_uncommitted_source(self, bundle_root, trained_run, tmp_path):
        root = make_checkout(bundle_root, tmp_path / "checkout")
        (root / "scangen_bundle" / "files.py").write_text("changed")
        self.refuse(root, *trained_run, "not committed: scangen_bundle/files.py", tmp_path)

    def test_untracked_source(self, bundle_root, trained_run, tmp_path):
        root = make_checkout(bundle_root, tmp_path / "checkout")
        (root / "configs" / "mine.yaml").write_text("a: 1")
        self.refuse(root, *trained_run, "not committed: configs/mine.yaml", tmp_path)

    def test_unknown_version(self, bundle_root, trained_run, tmp_path):
        root = make_checkout(bundle_root, tmp_path / "checkout")
        path = root / "configs" / "metadata.json"
        path.write_text(path.read_text().replace('"version": "0.1.0"', '"version": "9.9.9"', 1))
        git(root, "commit", "-aqm", "version")
        self.refuse(root, *trained_run, "'9.9.9' is not in the changelog", tmp_path)

    def test_no_checkout(self, trained_run, tmp_path):
        self.refuse(tmp_path, *trained_run, "git cannot tell the version", tmp_path)

    def test_run_that_was_not_evaluated(self, checkout, trained_run, tmp_path):
        run = self.copy(trained_run, tmp_path)
        (run / "metrics.json").unlink()
        self.refuse(checkout, run, trained_run[1], "no metrics.json", tmp_path)

    def test_run_without_a_figure(self, checkout, trained_run, tmp_path):
        run = self.copy(trained_run, tmp_path)
        metrics = json.loads((run / "metrics.json").read_text())
        metrics["figures"]["auroc/mean"]["value"] = None
        (run / "metrics.json").write_text(json.dumps(metrics))
        self.refuse(checkout, run, trained_run[1], "no AUROC of held-out patients", tmp_path)

    def test_test_patients_that_were_trained_on(self, checkout, trained_run, tmp_path):
        run = self.copy(trained_run, tmp_path)
        splits = (run / "splits.csv").read_text()
        (run / "splits.csv").write_text(splits.replace(",test", ",train"))
        self.refuse(checkout, run, trained_run[1], "8 patients were also trained on", tmp_path)

    def test_encoder_whose_licence_forbids_it(self, checkout, trained_run, tmp_path):
        from scangen_bundle.runs.checkpoint import read_checkpoint, save_checkpoint

        run = self.copy(trained_run, tmp_path)
        content = read_checkpoint(run / "models" / "best.pt")
        content["meta"]["encoder"] = "uni"
        save_checkpoint(run / "models" / "best.pt", content)
        self.refuse(checkout, run, trained_run[1], "'uni'.*'CC-BY-NC-ND-4.0'", tmp_path)

    def test_a_file_that_is_too_large_for_the_zoo(self, checkout, trained_run, tmp_path, monkeypatch):
        monkeypatch.setattr("scangen_bundle.share.package.LARGE", 400_000)
        self.refuse(checkout, *trained_run, "models/.*over 25 MB", tmp_path)

    def test_a_name_that_is_no_name(self, checkout, trained_run, tmp_path):
        from scangen_bundle.share.package import package_bundle

        with pytest.raises(InputError, match="lower case letters"):
            package_bundle(checkout, trained_run[0], str(trained_run[1]), "../EGFR", tmp_path / "out")

    def test_a_level_in_percent(self, checkout, trained_run, tmp_path):
        from scangen_bundle.share.package import package_bundle

        with pytest.raises(InputError, match="is 90, expected a share"):
            package_bundle(checkout, trained_run[0], str(trained_run[1]), "egfr", tmp_path / "out", level=90)

    def test_weights_that_did_not_make_the_predictions(self, checkout, trained_run, tmp_path):
        run = self.copy(trained_run, tmp_path)
        table = pd.read_csv(run / "val_predictions.csv")
        table.loc[3, "probability"] += 0.01
        table.to_csv(run / "val_predictions.csv", index=False)
        self.refuse(
            checkout, run, trained_run[1], f"gives {table.slide_id[3]} a probability that is 0.01 away", tmp_path
        )


def test_the_fixture_has_a_network_that_tells_slides_apart(trained_run):
    """Equal probabilities everywhere would hide a mix-up of rows."""
    from scangen_bundle.networks import MaskedMILModel
    from scangen_bundle.runs.checkpoint import read_checkpoint

    network = MaskedMILModel(num_classes=2, num_features=1280, mil_mode="gated_att").eval()
    network.load_state_dict(read_checkpoint(trained_run[0] / "models" / "best.pt")["network"])
    values = [predict(network, path) for path in sorted(trained_run[1].glob("*.h5"))[:6]]
    assert np.ptp(values) > 1e-4
