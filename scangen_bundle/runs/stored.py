"""A finished training: its settings, network and scans, read from the run folder when they are asked for."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from scangen_bundle.cohort import load_manifest
from scangen_bundle.data import CohortScans
from scangen_bundle.errors import InputError
from scangen_bundle.runs.checkpoint import read_checkpoint
from scangen_bundle.runs.folder import RunFolder
from scangen_bundle.runs.predictions import read_predictions
from scangen_bundle.runs.settings import RunSettings
from scangen_bundle.runs.splits import with_splits


class StoredRun:
    """What later steps ask of a training.

    `stored["num_features"]` is a setting of the training.

    Args:
        run_dir: the run folder.
        **given: settings that replace the training's, such as `dataset_dir` where the data have moved; None keeps the
            training's. What depends on them follows: `manifest_path` lies in the given `dataset_dir`.
    """

    def __init__(self, run_dir: str | os.PathLike[str], **given: Any) -> None:
        self.folder = RunFolder(run_dir)
        self.given = {name: value for name, value in given.items() if value is not None}

    @cached_property
    def settings(self) -> RunSettings:
        """Of the training, with those given in their place."""
        return RunSettings({**RunSettings.read(self.folder.settings).config, **self.given})

    def __getitem__(self, name: str) -> Any:
        return self.settings[name]

    def network(self) -> torch.nn.Module:
        """The training's network, without its weights."""
        return self.settings["network_def"]

    @cached_property
    def cohort(self) -> CohortScans:
        """The training's cohort with its splits."""
        features_dir, num_features, encoder = self["features_dir"], self["num_features"], self["encoder_name"]
        return CohortScans(self._read_scans, features_dir, num_features, len(self["class_names"]), encoder)

    def _read_scans(self) -> pd.DataFrame:
        path = self["manifest_path"]
        if not Path(path).is_file():
            remedy = "give --dataset_dir, or the folder from which training was started"
            raise InputError(path, "the manifest of the training is not here", remedy)
        names = self["class_names"]
        manifest = load_manifest(
            path, classes=len(names), class_names=names, min_scanners=2, allow_outside=self["allow_outside"]
        )
        return with_splits(manifest, self.folder.splits, path)

    def check(self) -> None:
        """Find out before the work whether the run can be evaluated.

        Raises:
            InputError: settings, network or validation predictions are missing, or the latter are of another epoch's network.
        """
        _ = self.settings
        epoch = read_checkpoint(self.folder.best).get("meta", {}).get("epoch")
        path = self.folder.val_predictions
        if not path.is_file():
            problem = "the validation patients' predictions are missing; the threshold is chosen on them"
            raise InputError(path, problem, "train this run again")
        validated = set(read_predictions(path).get("epoch", ()))
        if validated and epoch is not None and validated != {epoch}:
            epochs = ", ".join(str(number) for number in sorted(validated))
            problem = f"is of epoch {epochs}, the network of {self.folder.best} of epoch {epoch}"
            raise InputError(
                path, problem, "training was killed between the two: give its command again, which resumes"
            )
