"""Two processes train what one does."""

import json
import sys

import pandas as pd
import pytest
import torch

from tests import commands

from .feature_runs import FeatureRuns

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
SAME = ("--max_epochs", "3", "--network_def#projector_dropout", "0.0")


@pytest.fixture(scope="module")
def runs(bundle_root, tmp_path_factory):
    return FeatureRuns.make(bundle_root, tmp_path_factory.mktemp("multi"))


def run(runs, command):
    ended = commands.run(command, cwd=runs.root, env=runs.environment, fresh="torch.distributed.run" in command)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended


@pytest.mark.parametrize("method", ["scangen", "standardise+scangen"])
def test_two_processes_on_gloo_equal_one_on_the_same_global_batch(runs, method):
    names = [f"{count}_{method.replace('+', '_')}" for count in ("one", "two")]
    run(runs, runs.command(names[0], *SAME, "--method", method))
    run(runs, runs.command(names[1], *SAME, "--method", method, launcher=TORCHRUN))
    one, two = map(runs.last, names)
    assert one["engine"]["iteration"] == two["engine"]["iteration"]
    for name, value in one["network"].items():
        if name == "attention.score.bias":
            continue  # softmax does not see it: its gradient is rounding, which Adam makes as large as any other
        torch.testing.assert_close(two["network"][name], value, atol=1e-5, rtol=1e-4)
    assert two["best_metric"] == pytest.approx(one["best_metric"], abs=1e-6)
    tables = [pd.read_csv(runs.outputs / name / "val_predictions.csv", index_col="slide_id") for name in names]
    pd.testing.assert_frame_equal(tables[0].sort_index(), tables[1].sort_index(), atol=1e-5)
    assert two["best_metric_epoch"] == one["best_metric_epoch"]


def test_two_processes_evaluate_as_one_does(runs):
    run(runs, runs.command("evaluated", *SAME))
    figures = []
    for launcher in ((), TORCHRUN):
        run(runs, runs.evaluation("evaluated", "--resamples", "50", launcher=launcher))
        metrics = json.loads((runs.outputs / "evaluated" / "metrics.json").read_text())
        figures.append({**metrics["figures"], **{f"embedding/{k}": v for k, v in metrics["embedding"].items()}})
    assert figures[0].keys() == figures[1].keys()
    for name, figure in figures[0].items():
        assert figures[1][name]["value"] == pytest.approx(figure["value"], abs=1e-6), name
