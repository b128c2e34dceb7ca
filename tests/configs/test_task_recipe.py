"""CONTRIBUTING's recipe for a task is run from its text."""

import subprocess

import pytest
import torch

from scangen_bundle.plugins import load_plugins
from scangen_bundle.runs import RunSettings
from scangen_bundle.tasks import create_task
from tests.recipes import recipe, write_recipe

from .feature_runs import FeatureRuns, small


@pytest.fixture(scope="module")
def runs(bundle_root, tmp_path_factory):
    return FeatureRuns.make(bundle_root, tmp_path_factory.mktemp("recipe"))


def test_the_recipe_for_a_task_trains_and_its_report_names_it(runs, tmp_path):
    plugin = write_recipe("a task", tmp_path / "my_task.py")
    command = small(runs, recipe("a task", "bash"), {"my_task.py": str(plugin)})
    evaluating = runs.evaluation("focal", "--resamples", "20")
    for step in (command, evaluating):
        ended = subprocess.run(step, cwd=runs.root, env=runs.environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert RunSettings.read(runs.outputs / "focal" / "settings.yaml")["task"] == "focal"
    assert "task focal" in (runs.outputs / "focal" / "report.html").read_text()


def test_the_recipes_loss_is_the_focal_loss_of_the_labelled_scans(tmp_path):
    load_plugins(write_recipe("a task", tmp_path / "my_task.py"))
    logits, label = torch.randn(5, 2), torch.tensor([0, -1, 1, 1, -1])
    probability = torch.softmax(logits, dim=1)[torch.arange(5), label.clamp_min(0)]
    expected = (-((1 - probability) ** 2) * probability.log())[label >= 0].mean()
    torch.testing.assert_close(create_task("focal").loss()(logits, label), expected)
