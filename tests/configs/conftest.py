"""A small cohort that went through every command of the README, once per test session."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import commands

UNSEEN = "scanner-6"


@dataclass(frozen=True)
class Bundle:
    """The bundle's commands, run from its root against one cohort."""

    root: Path
    data: Path
    outputs: Path

    def run(
        self, run_id: str, config: str, *options: str, fails: bool = False, fresh: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """`python -m monai.bundle run`, as the README shows it; `fresh`: in an interpreter of its own."""
        command = [sys.executable, "-m", "monai.bundle", "run", run_id, "--config_file", config]
        if not {"--dataset_dir", "--run_dir"} & set(options):
            command += ["--dataset_dir", str(self.data)]
        ended = commands.run([*command, *options], cwd=self.root, fresh=fresh)
        assert (ended.returncode != 0) == fails, ended.stdout + ended.stderr
        return ended

    def train(
        self, name: str, *options: str, fails: bool = False, fresh: bool = False
    ) -> subprocess.CompletedProcess[str]:
        fast = ("--max_epochs", "3", "--val_interval", "2", "--num_tiles", "16")
        where = ("--output_dir", str(self.outputs), "--run_name", name)
        return self.run("training", "configs/train.yaml", *fast, *where, *options, fails=fails, fresh=fresh)


@pytest.fixture(scope="session")
def bundle(bundle_root, tmp_path_factory) -> Bundle:
    """Twelve specimens on six scanners, with their bags."""
    from scangen_bundle.phantom import make_phantom_cohort

    folder = tmp_path_factory.mktemp("bundle")
    bundle = Bundle(bundle_root, folder / "phantom", folder / "outputs")
    make_phantom_cohort(bundle.data, specimens=12, seed=0, workers=2, size_um=500)
    bundle.run("extracting", "configs/extract_features.yaml", fresh=True)
    return bundle


@pytest.fixture(scope="session")
def trained(bundle) -> Bundle:
    """The same with a training run named `scangen` that left one scanner out."""
    bundle.train("scangen", "--unseen_scanners", f"['{UNSEEN}']", fresh=True)
    return bundle
