"""CONTRIBUTING's recipe for a method is run from its text."""

import shlex
import subprocess

import pytest
from mlflow import MlflowClient

from tests.recipes import recipe, write_recipe

from .feature_runs import FeatureRuns, small


@pytest.fixture(scope="module")
def runs(bundle_root, tmp_path_factory):
    return FeatureRuns.make(bundle_root, tmp_path_factory.mktemp("recipe"))


def test_the_recipe_for_a_method_trains_with_its_term(runs, tmp_path):
    plugin = write_recipe("a method", tmp_path / "my_method.py")
    command = small(runs, recipe("a method", "bash"), {"my_method.py": str(plugin)})
    ended = subprocess.run(command, cwd=runs.root, env=runs.environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    meta = runs.last("logit_spread")["meta"]
    assert meta["method"] == "logit-spread"
    assert meta["method_transforms"] is False
    client = MlflowClient(f"sqlite:///{runs.outputs / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("scangen").experiment_id])
    assert run.data.metrics["train/loss_logit_spread"] > 0
    assert run.data.metrics["train/loss"] > run.data.metrics["train/loss_task"]
    evaluated = runs.evaluation("logit_spread", "--resamples", "20")
    ended = subprocess.run(evaluated, cwd=runs.root, env=runs.environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr  # the run knows its plugin
    assert "method logit-spread" in (runs.outputs / "logit_spread" / "report.html").read_text()


def test_without_its_plugin_the_method_is_unknown_and_those_there_are_are_named(runs):
    command = shlex.split(recipe("a method", "bash").replace("\\\n", ""))
    start = command.index("--plugins")
    command = [*small(runs, shlex.join(command[:start] + command[start + 2 :]), {})]
    ended = subprocess.run(command, cwd=runs.root, env=runs.environment, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "error: method 'logit-spread': no method has this name" in ended.stderr
    assert "scangen" in ended.stderr
