"""A training's folder: names of its files, settings, checkpoint, predictions, tracking, evaluation.

What stands here reads and writes run folders and knows no engine; the handlers that write during a training are in `training/`.
Names are imported when they are first used: reading a table of predictions takes no torch, which takes seconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scangen_bundle.runs.checkpoint import load_weights, read_checkpoint, save_checkpoint
    from scangen_bundle.runs.evaluated import EvaluatedRun, read_evaluated_run
    from scangen_bundle.runs.folder import RunFolder
    from scangen_bundle.runs.predictions import read_predictions, write_predictions
    from scangen_bundle.runs.tracking import RunTracker

__all__ = [
    "EvaluatedRun",
    "RunFolder",
    "RunTracker",
    "load_weights",
    "read_checkpoint",
    "read_evaluated_run",
    "read_predictions",
    "save_checkpoint",
    "write_predictions",
]

_MODULES = ("folder", "predictions", "evaluated", "checkpoint", "tracking")  # those that are quick to import first


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module_name in _MODULES:
            module = import_module(f"{__name__}.{module_name}")
            if getattr(getattr(module, name, None), "__module__", "") == module.__name__:
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
