"""Reading what an evaluation left: predictions and metrics of a run folder."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from scangen_bundle.errors import InputError

# The columns that are text; the short names are people's own.
TEXT = ("slide_id", "specimen_id", "patient_id", "scanner", "slide", "specimen", "patient")


@dataclass(frozen=True)
class Run:
    """An evaluated training.

    Attributes:
        name: of the folder.
        metrics: content of `metrics.json`.
        predictions: content of `predictions.csv`.
    """

    name: str
    metrics: dict[str, Any]
    predictions: pd.DataFrame


def read_predictions(path: str | os.PathLike[str]) -> pd.DataFrame:
    """A predictions CSV with its ids as text (`007` stays `007`, a patient `NA` is no gap) and exact numbers.

    Raises:
        InputError: no such file, or no table in it.
    """
    if not Path(path).is_file():
        raise InputError(path, "there is no such file", "give the CSV that an evaluation or a training wrote")
    try:
        columns = pd.read_csv(path, nrows=0).columns
        gaps = {name: [""] for name in columns if name not in TEXT}
        return pd.read_csv(
            path,
            dtype=dict.fromkeys(TEXT, str),
            na_values=gaps,
            keep_default_na=False,
            float_precision="round_trip",
        )
    except pd.errors.EmptyDataError:
        raise InputError(path, "the file is empty", "give a CSV of predictions with a header") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(path, f"this is no CSV table ({error})", "write it as CSV with a header, UTF-8") from error


def read_run(folder: str | os.PathLike[str]) -> Run:
    """Metrics and predictions of an evaluated run.

    Raises:
        InputError: the folder was not evaluated, or its files are damaged.
    """
    folder = Path(folder)
    path = folder / "metrics.json"
    if not path.is_file():
        raise InputError(folder, "there is no metrics.json in this folder", "evaluate the run first: run evaluating")
    try:
        metrics = json.loads(path.read_text("utf-8"))
        known = {"figures", "settings", "cohort"} <= set(metrics)
    except (ValueError, TypeError) as error:
        raise InputError(path, f"this is no metrics file ({error})", "evaluate the run again") from error
    if not known:
        raise InputError(path, "this is no metrics file: figures, settings or cohort are missing", "evaluate again")
    return Run(folder.resolve().name, metrics, read_predictions(folder / "predictions.csv"))
