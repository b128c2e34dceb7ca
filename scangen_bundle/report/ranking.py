"""The specimens of an evaluation, those that flip first, then those on which the scanners disagree most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scangen_bundle.measures.disagreement import disagreement, predicted_class, probability_table
from scangen_bundle.measures.predictions import probability_columns


@dataclass(frozen=True, eq=False)
class RankedSpecimens:
    """Specimens [M] on scanners [S]; several scans of a specimen on one scanner count as their mean.

    Attributes:
        names: [M] specimens in their order.
        patients: [M].
        labels: [M] class, -1 without a label.
        scores: [M, S] probability of class 1; with more than two classes of the specimen's label, or without one of the
            class that most scanners predict. NaN where there is no scan.
        classes: [M, S] predicted class, NaN where there is no scan.
        flips: [M] bool, the class differs between scanners.
        spread: [M] standard deviation of the logit over scanners, NaN with fewer than two.
    """

    names: list[str]
    patients: list[str]
    labels: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    flips: np.ndarray
    spread: np.ndarray


def rank_specimens(predictions: pd.DataFrame, scanners: Sequence[str], threshold: float | None) -> RankedSpecimens:
    """Sort the specimens of a table with one row per scan.

    Args:
        predictions: `specimen_id, patient_id, scanner, label` (int, -1 for none) and the probabilities.
        scanners: columns of the result.
        threshold: of class 1; None for more than two classes.
    """
    rows, names = pd.factorize(predictions["specimen_id"].astype(str))
    columns = pd.Index(scanners).get_indexer(predictions["scanner"])
    probability = predictions[probability_columns(predictions)].to_numpy(dtype=np.float64)
    if probability.shape[1] == 1:
        probability = np.column_stack([1 - probability, probability])
    table = np.full((len(names), len(scanners), probability.shape[1]), np.nan)
    finite = np.isfinite(probability).all(axis=1)
    if finite.any():
        part = probability_table(rows[finite], columns[finite], probability[finite])
        table[: part.shape[0], : part.shape[1]] = part
    classes = predicted_class(table, threshold)
    compared = disagreement(table, threshold)
    first = predictions.assign(row=rows).groupby("row").agg(patient=("patient_id", "first"), label=("label", "max"))
    labels = pd.to_numeric(first["label"]).fillna(-1).to_numpy(dtype=np.int64)
    order = compared.order()
    return RankedSpecimens(
        names=[str(names[i]) for i in order],
        patients=[str(first["patient"].iloc[i]) for i in order],
        labels=labels[order],
        scores=_scores(table, classes, labels)[order],
        classes=classes[order],
        flips=compared.flips[order],
        spread=compared.spread[order],
    )


def _scores(table: np.ndarray, classes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[M, S] of the class that is shown of each specimen."""
    if table.shape[2] == 2:
        return table[..., 1]
    shown = np.array([label if label >= 0 else _most_frequent(row) for label, row in zip(labels, classes, strict=True)])
    return np.take_along_axis(table, shown[:, None, None], axis=2)[..., 0]


def _most_frequent(classes: np.ndarray) -> int:
    defined = classes[np.isfinite(classes)].astype(int)
    return int(np.bincount(defined).argmax()) if len(defined) else 0
