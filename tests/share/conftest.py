"""A small trained run with its bags, and the bundle in a git checkout of its own."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from monai.bundle import ConfigParser

from scangen_bundle.data import collate_bags
from scangen_bundle.encoders import ENCODERS
from scangen_bundle.measures import evaluate_predictions
from scangen_bundle.networks import MaskedMILModel
from scangen_bundle.runs import RunSettings, save_checkpoint
from scangen_bundle.share.source import PACKED
from scangen_bundle.testing import make_bag
from tests.conftest import ROOT

DIM = 1280
ENCODER = ENCODERS["efficientnet-lite0"].spec
SETTINGS = json.dumps({"tissue": {}, "tiling": {"min_tissue": 0.5}, "upsampling": False, "extraction_version": 1})
SCANNERS = ("scanner-1", "scanner-2")
DATA_SOURCE = "random numbers"


def write_features(path: Path, slide_id: str, scanner: str, label: int, rng: np.random.Generator, **changes) -> None:
    identity = {name: getattr(ENCODER, name) for name in ("revision", "pooling", "tile_px", "mpp")}
    values = {"encoder": ENCODER.name, **identity, "settings": SETTINGS, **changes}
    coords = np.stack(np.meshgrid(np.arange(5), np.arange(4)), -1).reshape(-1, 2) * 448
    features = rng.normal(size=(len(coords), DIM)) + 0.3 * label
    values |= {"slide_id": slide_id, "scanner": f"maker-{scanner}", "slide_width": 4480, "slide_height": 3584}
    make_bag(path, features, coords, dtype="float16", **values)


def make_run(folder: Path, encoder: str = "efficientnet-lite0") -> tuple[Path, Path]:
    """A run folder as training and evaluation leave it, with untrained weights, and the folder of its bags."""
    rng = np.random.default_rng(0)
    run, features = folder / "run", folder / "features"
    rows = []
    for patient in range(24):
        for scanner in SCANNERS:
            slide_id, label = f"p{patient}-{scanner}", patient % 2
            write_features(features / f"{slide_id}.h5", slide_id, scanner, label, rng)
            split = "train" if patient < 4 else "val" if patient < 16 else "test"
            rows.append((slide_id, f"s{patient}", f"p{patient}", scanner, label, split))
    table = pd.DataFrame(rows, columns=["slide_id", "specimen_id", "patient_id", "scanner", "label", "split"])
    torch.manual_seed(0)
    network = MaskedMILModel(num_classes=2, num_features=DIM, mil_mode="gated_att").eval()
    table["probability"] = [predict(network, features / f"{name}.h5") for name in table["slide_id"]]
    run.mkdir()
    table[["slide_id", "specimen_id", "patient_id", "scanner", "label", "split"]].to_csv(
        run / "splits.csv", index=False
    )
    for name, split in (("val_predictions", "val"), ("predictions", "test")):
        table[table["split"] == split].drop(columns="split").to_csv(run / f"{name}.csv", index=False)
    metrics = evaluate_predictions(pd.read_csv(run / "predictions.csv"), threshold=0.5, resamples=20)
    metrics["settings"].update(threshold_source="test", class_names=["negative", "positive"])
    (run / "metrics.json").write_text(json.dumps(metrics))
    meta = {
        "encoder": encoder,
        "num_features": DIM,
        "class_names": ["negative", "positive"],
        "training_scanners": list(SCANNERS),
        "epoch": 1,
    }
    config = ConfigParser.load_config_file(ROOT / "configs" / "train.yaml")
    places = {
        "dataset_dir": str(folder),
        "features_dir": str(features),
        "output_dir": str(folder),
        "run_name": run.name,
    }
    RunSettings({**config, **places, "encoder_name": encoder, "num_features": DIM}).write(run / "settings.yaml")
    save_checkpoint(run / "models" / "best.pt", {"network": network.state_dict(), "meta": meta})
    return run, features


def predict(network: MaskedMILModel, bag: Path, change: Callable[[np.ndarray], np.ndarray] = np.asarray) -> float:
    """Probability of class 1 from the bag's features, or from what `change` makes of them, without the code under test."""
    import h5py

    with h5py.File(bag) as file:
        image = torch.from_numpy(change(file["features"][()].astype(np.float32)))
        coords = torch.from_numpy(file["coords"][()])
    item = {"image": image, "coords": coords, "label": 0, "specimen": 0, "scanner": 0, "slide_id": "x"}
    batch = collate_bags([item])
    with torch.no_grad():
        return torch.softmax(network(batch["image"], batch["mask"]).double(), 1)[0, 1].item()


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def make_checkout(bundle_root: Path, folder: Path) -> Path:
    """What is packed, committed in a repository of its own."""
    for name in PACKED:
        source = bundle_root / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(source, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def track_run(run: Path, store: str) -> str:
    """The run in MLflow as evaluation tracks it (see tests/training/test_report.py); gives its id."""
    from scangen_bundle.runs import RunTracker

    tracker = RunTracker(run.parent, run.parent / "tracked", tracking_uri=store)
    for name in ("predictions.csv", "val_predictions.csv", "metrics.json", "splits.csv", "settings.yaml"):
        tracker.log_artifact(run / name)
    tracker.log_artifact(run / "models" / "best.pt", "models")
    tracker.finish()
    return tracker.run_id


def run_python(*arguments, cwd, **environment):
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    variables.pop("PYTHONPATH", None)
    variables |= {name: str(value) for name, value in environment.items()}
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, env=variables, capture_output=True, text=True, timeout=300
    )


def pack(checkout, run, features, out, *options, **environment):
    named = [run] if Path(run).is_dir() else ["--mlflow-run", run]
    arguments = ["pack", *named, "--features-dir", features, "--output", out, "--data-source", DATA_SOURCE, *options]
    return run_python("-m", "scangen_bundle.cli", *arguments, cwd=out.parent, PYTHONPATH=checkout, **environment)


def store_below(folder: Path) -> str:
    return f"sqlite:///{folder / 'store' / 'mlflow.db'}"


def make_all(bundle_root: Path, folder: Path) -> None:
    """A trained run, a checkout, the run packed by the command, registered, and unpacked."""
    run, features = make_run(folder)
    checkout = make_checkout(bundle_root, folder / "checkout")
    (folder / "store").mkdir()
    out, store = folder / "dist", store_below(folder)
    done = pack(checkout, run, features, out, "--register", "scangen_egfr", MLFLOW_TRACKING_URI=store)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(done.stdout.split()[0]) as file:
        file.extractall(folder / "elsewhere")


@pytest.fixture(scope="session")
def made_once(bundle_root, tmp_path_factory):
    """Folder of `make_all`, which the processes of pytest-xdist share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "share"
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make_all(bundle_root, folder)
            (folder / "complete").touch()
    return folder


@pytest.fixture(scope="session")
def trained_run(made_once):
    """(run folder, features folder)"""
    return made_once / "run", made_once / "features"


@pytest.fixture(scope="session")
def checkout(made_once):
    return made_once / "checkout"


@pytest.fixture(scope="session")
def packed(made_once):
    """(archive, network, unpacked bundle)"""
    name = "scangen_egfr_v0.1.0"
    return (
        made_once / "dist" / f"{name}.zip",
        made_once / "dist" / f"{name}.ts",
        made_once / "elsewhere" / "scangen_egfr",
    )
