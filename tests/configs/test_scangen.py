"""The command `scangen` runs the configs from any folder, and a run knows what it needs."""

import os
import sys

import pandas as pd

from tests import commands


def scangen(bundle, *words, cwd):
    environment = {"PYTHONPATH": str(bundle.root)}
    return commands.run(
        [sys.executable, "-m", "scangen_bundle.cli", *words], cwd=cwd, env={**os.environ, **environment}
    )


def test_a_run_is_evaluated_and_predicts_from_another_folder(trained, tmp_path):
    run = trained.outputs / "scangen"
    ended = scangen(trained, "evaluate", run, "--resamples", "50", "--dataset-dir", trained.data, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert f"wrote {run}/report.html" in ended.stdout
    ended = scangen(trained, "predict", run, trained.data, "--set", f"prediction_dir={tmp_path}/out", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert len(table) == 72
    assert set(table["predicted_class"]) <= {"negative", "positive"}
    assert table[["threshold", "novelty", "far_from_training", "scanner_known"]].notna().all().all()
    assert not (tmp_path / "outputs").exists()
