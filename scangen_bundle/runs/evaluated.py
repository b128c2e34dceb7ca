"""Read what an evaluation wrote: metrics and predictions of a run folder."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import pandas as pd

from scangen_bundle.errors import InputError
from scangen_bundle.measures.evaluate import SCHEMA_VERSION
from scangen_bundle.runs.folder import RunFolder
from scangen_bundle.runs.predictions import read_predictions


@dataclass(frozen=True)
class EvaluatedRun:
    """An evaluated training.

    Attributes:
        name: of the folder.
        metrics: content of `metrics.json`.
        predictions: content of `predictions.csv`.
    """

    name: str
    metrics: dict[str, Any]
    predictions: pd.DataFrame


def read_evaluated_run(path: str | os.PathLike[str]) -> EvaluatedRun:
    """Read metrics and predictions of an evaluated run.

    Raises:
        InputError: the folder was not evaluated, or its files are damaged.
    """
    folder = RunFolder(path)
    if not folder.metrics.is_file():
        raise InputError(folder, "there is no metrics.json in this folder", "evaluate the run first: run evaluating")
    try:
        metrics = json.loads(folder.metrics.read_text("utf-8"))
        is_complete = {"figures", "settings", "cohort"} <= set(metrics)
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(folder.metrics, f"this is no metrics file ({error})", "evaluate the run again") from error
    if not is_complete:
        problem = "this is no metrics file: figures, settings or cohort are missing"
        raise InputError(folder.metrics, problem, "evaluate the run again")
    if metrics.get("schema_version") != SCHEMA_VERSION:
        problem = f"is of layout {metrics.get('schema_version')}, this version reads layout {SCHEMA_VERSION}"
        raise InputError(folder.metrics, problem, "evaluate the run again: run evaluating")
    return EvaluatedRun(folder.name, metrics, read_predictions(folder.predictions))
