"""Training runs of the shipped configuration on a small cohort without pixels."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from ..data.cohort import FEATURES, write_cohort

TRAIN = "configs/train.yaml"
EVALUATE = "configs/evaluate.yaml"


@dataclass(frozen=True)
class FeatureRuns:
    """Sixteen specimens on three scanners, and where their runs go."""

    root: Path
    data: Path
    outputs: Path

    @classmethod
    def make(cls, root: Path, folder: Path) -> FeatureRuns:
        (folder / "cohort").mkdir()
        write_cohort(folder / "cohort", specimens=16)
        return cls(root, folder / "cohort", folder / "outputs")

    def command(self, name: str, *options: str, launcher: tuple[str, ...] = ()) -> list[str]:
        """A training."""
        return [
            *(launcher or (sys.executable,)),
            *("-m", "monai.bundle", "run", "training", "--config_file", TRAIN),
            *("--dataset_dir", str(self.data), "--output_dir", str(self.outputs), "--run_name", name),
            *("--num_features", str(FEATURES), "--num_tiles", "16", "--specimens_per_batch", "4"),
            *("--encoder_name", "fake"),
            *("--val_interval", "1"),
            *options,
        ]

    def evaluation(self, name: str, *options: str, launcher: tuple[str, ...] = ()) -> list[str]:
        """The evaluation of a training."""
        step = ("-m", "monai.bundle", "run", "evaluating", "--config_file", EVALUATE)
        return [*(launcher or (sys.executable,)), *step, "--run_dir", str(self.outputs / name), *options]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

    def last(self, name: str) -> dict:
        return torch.load(self.outputs / name / "models" / "last.pt", weights_only=True)


def small(runs: FeatureRuns, text: str, files: dict[str, str]) -> list[str]:
    """A recipe's training command, on the small cohort and for two epochs, with its files where they are."""
    for name, path in files.items():
        text = text.replace(name, path)
    words = shlex.split(text.replace("\\\n", " "))
    words[words.index("--dataset_dir") + 1] = str(runs.data)
    options = (
        "--encoder_name",
        "fake",
        "--num_features",
        str(FEATURES),
        "--num_tiles",
        "16",
        "--specimens_per_batch",
        "4",
        "--max_epochs",
        "2",
    )
    return [sys.executable, *words[1:], "--output_dir", str(runs.outputs), "--val_interval", "1", *options]
