"""A training's folder: names of its files, settings, checkpoint, predictions, tracking, evaluation.

What stands here reads and writes run folders and knows no engine; the handlers that write during a training are in `training/`.
"""

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
