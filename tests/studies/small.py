"""A study that takes seconds: bags without pixels, two folds, two epochs."""

from __future__ import annotations

from pathlib import Path

from scangen_bundle.cohort import load_manifest
from scangen_bundle.studies.analysis import Analysis
from scangen_bundle.studies.design import Design, Training
from scangen_bundle.studies.job import StudyJob
from scangen_bundle.studies.scans import SplitRules
from tests.data.cohort import FEATURES, write_cohort

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "encoder_name": "fake",
    "num_features": FEATURES,
    "max_epochs": 2,
    "val_interval": 1,
    "num_tiles": 16,
    "specimens_per_batch": 4,
    "device": "cpu",
}
SCHEMES = {"one out": {"hold_out": "scanner 2"}}


def small_cohort(folder: Path, specimens: int = 16) -> Path:
    """A cohort's folder with its manifest and bags."""
    folder.mkdir(parents=True, exist_ok=True)
    write_cohort(folder, specimens=specimens)
    return folder


def small_study(data: Path, folder: Path, **changes) -> StudyJob:
    """A job on the cohort.

    Args:
        data: the cohort's folder.
        folder: of the study.
        changes: of the design (`methods, schemes, seeds, grids, method_options, folds, never_train`), of the training's
            settings (`settings`), of the analysis (`choose_by, compare_rules, references`), or of the job.
    """
    rules = {name: changes.pop(name) for name in ("folds", "never_train", "split_seed") if name in changes}
    design = {
        name: changes.pop(name)
        for name in ("methods", "schemes", "seeds", "grids", "method_options")
        if name in changes
    }
    analysis = {name: changes.pop(name) for name in ("choose_by", "compare_rules", "references") if name in changes}
    settings = {**SETTINGS, **changes.pop("settings", {})}
    return StudyJob(
        load_manifest(data / "manifest.csv", classes=2),
        str(folder),
        Design(
            **{
                "methods": ("plain", "scangen"),
                "schemes": SCHEMES,
                "rules": SplitRules(**{"folds": 2, **rules}),
                **design,
            }
        ),
        Training((str(ROOT / "configs" / "train.yaml"),), settings, str(data / "features"), threads=1),
        Analysis(**{"compare_rules": ("one_se",), "resamples": 50, **analysis}),
        **changes,
    )
