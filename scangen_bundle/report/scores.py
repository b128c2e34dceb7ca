"""Predictions as the figures want them: one class against the rest, pairs of scanners, specimens by scanners."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scangen_bundle.measures.predictions import probability_columns


def whole_labels(predictions: pd.DataFrame) -> pd.DataFrame:
    """The table with int64 labels, -1 where a CSV had none."""
    label = pd.to_numeric(predictions["label"]).fillna(-1).astype("int64")
    return predictions.assign(label=label).reset_index(drop=True)


def usable(predictions: pd.DataFrame) -> pd.DataFrame:
    """The scans that can be drawn: labelled, every probability finite."""
    finite = np.isfinite(predictions[probability_columns(predictions)].to_numpy(dtype=np.float64)).all(axis=1)
    return predictions[finite & (predictions["label"] >= 0)].reset_index(drop=True)


def class_views(predictions: pd.DataFrame, class_names: Sequence[str]) -> dict[str, pd.DataFrame]:
    """One table per class that has a score of its own, with the columns `score` and `positive` (0 or 1) added.

    Two classes have one score, that of class 1; more have one each, taken against the rest.
    """
    columns = probability_columns(predictions)
    offset = 1 if columns == ["probability"] else 0
    return {
        class_names[i + offset]: predictions.assign(
            score=predictions[column].astype(float), positive=(predictions["label"] == i + offset).astype(int)
        )
        for i, column in enumerate(columns)
    }


def specimen_scores(view: pd.DataFrame, scanners: Sequence[str]) -> pd.DataFrame:
    """Scores of specimens (rows) on scanners (columns), NaN where not scanned; rescans are averaged."""
    matrix = view.pivot_table(index="specimen_id", columns="scanner", values="score", aggfunc="mean")
    return matrix.reindex(columns=list(scanners))


def paired_scores(view: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """`first`, `second` and `label` of the specimens that both scanners digitised."""
    matrix = specimen_scores(view, [first, second]).dropna()
    label = view.drop_duplicates("specimen_id").set_index("specimen_id")["label"]
    return pd.DataFrame(
        {"first": matrix[first], "second": matrix[second], "label": label.reindex(matrix.index)}, index=matrix.index
    )
