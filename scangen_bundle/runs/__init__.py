"""A training's folder: names of its files, settings, checkpoint, predictions, tracking, evaluation.

What stands here reads and writes run folders and knows no engine; the handlers that write during a training are in `training/`.
Names are imported when they are first used: reading a table of predictions takes no torch, which takes seconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scangen_bundle.runs.checkpoint import load_weights, read_checkpoint, save_checkpoint
    from scangen_bundle.runs.evaluated import EvaluatedRun, read_evaluated_run
    from scangen_bundle.runs.evaluation import evaluate_run
    from scangen_bundle.runs.features import keep_feature_facts
    from scangen_bundle.runs.folder import RunFolder
    from scangen_bundle.runs.lock import lock_folder, release_folder
    from scangen_bundle.runs.predictions import read_predictions, write_predictions
    from scangen_bundle.runs.settings import RunSettings
    from scangen_bundle.runs.stored import StoredRun
    from scangen_bundle.runs.tracking import RunTracker
    from scangen_bundle.runs.tracking_settings import TrackingSettings

__all__ = [
    "EvaluatedRun",
    "RunFolder",
    "RunSettings",
    "RunTracker",
    "StoredRun",
    "TrackingSettings",
    "evaluate_run",
    "keep_feature_facts",
    "load_weights",
    "lock_folder",
    "read_checkpoint",
    "read_evaluated_run",
    "read_predictions",
    "release_folder",
    "save_checkpoint",
    "write_predictions",
]

_MODULES = {
    "checkpoint": ("load_weights", "read_checkpoint", "save_checkpoint"),
    "evaluated": ("EvaluatedRun", "read_evaluated_run"),
    "evaluation": ("evaluate_run",),
    "features": ("keep_feature_facts",),
    "folder": ("RunFolder",),
    "lock": ("lock_folder", "release_folder"),
    "predictions": ("read_predictions", "write_predictions"),
    "settings": ("RunSettings",),
    "stored": ("StoredRun",),
    "tracking": ("RunTracker",),
    "tracking_settings": ("TrackingSettings",),
}


def __getattr__(name: str) -> Any:
    for module_name, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module_name}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
