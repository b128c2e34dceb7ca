"""A training process that is killed goes on to the weights of one that was not; a seed decides every bit."""

import os
import signal
import time

import pytest
import torch

from tests import commands

from .feature_runs import FeatureRuns

EPOCHS = ("--max_epochs", "6")


@pytest.fixture(scope="module")
def runs(bundle_root, tmp_path_factory):
    return FeatureRuns.make(bundle_root, tmp_path_factory.mktemp("resume"))


def start(runs, name, *options):
    return commands.Started(runs.command(name, *EPOCHS, *options), cwd=runs.root, env=runs.environment)


def finish(process):
    output = "".join(process.communicate(timeout=300))
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def whole(runs):
    finish(start(runs, "whole"))
    return runs.last("whole")


def differing(first, second):
    return [name for name, value in first.items() if not torch.equal(value, second[name])]


def kill_after_epochs(process, path, epochs):
    """SIGKILL once the checkpoint was written `epochs` times."""
    seen = set()
    while len(seen) < epochs:
        assert process.poll() is None, process.communicate()
        if path.exists():
            seen.add(path.stat().st_mtime_ns)
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_a_killed_run_ends_with_the_same_weights_as_one_that_was_not(runs, whole):
    path = runs.outputs / "killed" / "models" / "last.pt"
    kill_after_epochs(start(runs, "killed"), path, 2)
    stopped_at = runs.last("killed")["engine"]["iteration"]
    assert 0 < stopped_at < whole["engine"]["iteration"]
    output = finish(start(runs, "killed"))
    assert "resumed from" in output
    resumed = runs.last("killed")
    assert resumed["engine"]["iteration"] == whole["engine"]["iteration"]
    assert differing(whole["network"], resumed["network"]) == []
    assert resumed["best_metric"] == whole["best_metric"]
    best = [torch.load(runs.outputs / name / "models" / "best.pt", weights_only=True) for name in ("whole", "killed")]
    assert differing(best[0]["network"], best[1]["network"]) == []
    tables = [(runs.outputs / name / "val_predictions.csv").read_bytes() for name in ("whole", "killed")]
    assert tables[0] == tables[1]


def test_the_same_seed_gives_the_same_bits_and_another_does_not(runs, whole):
    finish(start(runs, "again"))
    finish(start(runs, "other", "--seed", "1"))
    assert differing(whole["network"], runs.last("again")["network"]) == []
    assert differing(whole["network"], runs.last("other")["network"]) != []
