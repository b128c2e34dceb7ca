"""The comparison of two run folders, from the command line."""

import json
import sys

import pytest

from tests import commands

from ..report.cohort import evaluate, simulate


def write_run(folder, table, **options):
    folder.mkdir()
    table.to_csv(folder / "predictions.csv", index=False)
    (folder / "metrics.json").write_text(json.dumps(evaluate(table, ["Alpha 1"], **options)))
    return folder


@pytest.fixture
def runs(tmp_path):
    first, second = simulate(), simulate(noise=0.05)
    return write_run(tmp_path / "without", first, threshold=0.4), write_run(tmp_path / "with", second, threshold=0.6)


def call(bundle_root, *arguments):
    command = [sys.executable, "-m", "scangen_bundle.cli", "compare", *arguments]
    return commands.run(command, cwd=bundle_root)


def test_two_runs_give_the_table_and_a_paired_comparison_at_each_ones_threshold(runs, tmp_path, bundle_root):
    done = call(bundle_root, *runs, "--output", tmp_path / "comparison")
    assert done.returncode == 0, done.stderr
    assert "without" in done.stdout
    assert "Alpha 1 *" in done.stdout
    assert "Research use only" in done.stdout
    comparison = json.loads((tmp_path / "comparison" / "comparison.json").read_text())
    assert (comparison["settings"]["threshold"], comparison["settings"]["threshold_second"]) == (0.4, 0.6)
    metrics = [json.loads((run / "metrics.json").read_text()) for run in runs]
    for key in ("auroc/mean", "cov", "flip_rate"):
        entry = comparison["figures"][key]
        values = [each["figures"][key]["value"] for each in metrics]
        assert entry["difference"]["value"] == pytest.approx(values[1] - values[0], abs=1e-12)
    assert f"{runs[1].name} compared with {runs[0].name}" in (tmp_path / "comparison" / "comparison.html").read_text()


def test_a_folder_that_was_not_evaluated_is_named_without_a_traceback(runs, tmp_path, bundle_root):
    (tmp_path / "empty").mkdir()
    done = call(bundle_root, runs[0], tmp_path / "empty")
    assert done.returncode != 0
    assert "empty: there is no metrics.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_runs_over_other_patients_are_not_compared(runs, tmp_path, bundle_root):
    other = write_run(tmp_path / "other", simulate(specimens=10))
    done = call(bundle_root, runs[0], other)
    assert done.returncode != 0
    assert "evaluate both runs on the same manifest" in done.stderr
