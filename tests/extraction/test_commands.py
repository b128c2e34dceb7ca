"""The shipped configs as a user runs them."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
import tifffile
from mlflow import MlflowClient

from scangen_bundle.bags import open_bag, write_bag
from scangen_bundle.runs.store import local_store
from scangen_bundle.testing import make_attributes, make_bag_arrays
from tests import commands


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Two scans of one specimen on two scanners, at 0.25 and 0.4 µm/px, and a file that is no slide."""
    folder = tmp_path_factory.mktemp("cohort")
    rng = np.random.default_rng(0)
    for scanner, mpp in (("fine", 0.25), ("coarse", 0.4)):
        side = round(400 / mpp)
        pixels = np.full((side, side, 3), 235, np.uint8)
        tissue = pixels[: side // 2, : side // 2]
        tissue[:] = rng.normal((170, 90, 160), 15, tissue.shape).clip(0, 255)
        resolution = {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}
        tifffile.imwrite(folder / f"{scanner}.tif", pixels, tile=(256, 256), photometric="rgb", **resolution)
    (folder / "text.svs").write_text("not a slide")
    rows = ["slide_id,specimen_id,patient_id,scanner,label,slide_path"]
    rows += [f"{name},s,p,{name},1,{name}.tif" for name in ("fine", "coarse")]
    (folder / "manifest.csv").write_text("\n".join([*rows, "text,t,q,fine,0,text.svs"]) + "\n")
    return folder


def bundle(root, job, config, *options):
    command = [sys.executable, "-m", "monai.bundle", "run", job, "--config_file", config, *map(str, options)]
    return commands.run(command, cwd=root)


def test_extracting_then_auditing(bundle_root, cohort):
    options = ["--dataset_dir", cohort, "--encoder_name", "colour-statistics"]
    done = bundle(bundle_root, "extracting", "configs/extract_features.yaml", *options, "--workers", 1)
    # The bad slide does not keep the others from being made, and the exit code and one message tell of it.
    assert done.returncode == 3
    assert "failures.csv: 1 of 3 slides failed\n  text: " in done.stderr
    assert "Traceback" not in done.stderr
    bags = cohort / "features" / "colour-statistics"
    assert sorted(file.name for file in bags.iterdir()) == [
        "coarse.h5",
        "failures.csv",
        "fine.h5",
        "slides.csv",
        "tissue",
    ]
    for name in ("fine", "coarse"):
        bag = open_bag(bags / f"{name}.h5")
        assert bag.effective_mpp == pytest.approx((0.5, 0.5), rel=1e-3)
        assert len(bag) == 4  # 200 µm of tissue hold a grid of 112 µm tiles, the second ones in part


def test_auditing(bundle_root, cohort, monkeypatch, capsys):
    from monai.bundle import run

    monkeypatch.chdir(bundle_root)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # the config sets it
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    features, coords = make_bag_arrays(5, 4)
    for name in ("fine", "coarse"):
        write_bag(cohort / "bags" / f"{name}.h5", features, coords, make_attributes(slide_id=name, dim=4))
    options = {"dataset_dir": str(cohort), "features_dir": str(cohort / "bags"), "output_dir": str(cohort / "out")}
    run(run_id="auditing", config_file="configs/audit.yaml", **options)
    printed = capsys.readouterr().out
    assert "scanners that stand out" in printed
    assert "1 scans have no features: text" in printed
    folder = cohort / "out" / "audit"
    assert len(pd.read_csv(folder / "audit.csv")) == 2
    client, run_id = MlflowClient(tracking_uri=local_store(cohort / "out")), (folder / "mlflow_run.txt").read_text()
    tracked = client.get_run(run_id)
    assert tracked.info.status == "FINISHED"
    assert "audit/flags" in tracked.data.metrics
    assert len(client.list_artifacts(run_id, "audit")) == 2
