"""Balanced accuracy of each scanner: the mean of the recalls of the classes."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.confusion import (
    count_disjoint_pairs,
    negative_columns,
    positive_columns,
    sensitivity,
    specificity,
)
from scangen_bundle.measures.per_scanner import PerScanner
from scangen_bundle.measures.prediction_data import Scans
from scangen_bundle.measures.prediction_measure import DISCRIMINATION, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums


@prediction_measure(
    key="balanced_accuracy",
    title="Balanced accuracy",
    better="higher",
    help="mean of the recalls of the classes at the threshold",
    baseline="guessing: 1 / classes",
    group=DISCRIMINATION,
    position=3,
)
class BalancedAccuracy(PerScanner):
    worst = "lowest"

    def columns(self, scans: Scans) -> dict[str, np.ndarray]:
        return positive_columns(scans) | negative_columns(scans)

    def value(self, scans: Scans, sums: Sums) -> np.ndarray:
        if scans.classes > 2:  # the mean over classes is taken anyway
            return sensitivity(sums)
        return (sensitivity(sums) + specificity(sums)) / 2

    def count_trials(self, scans: Scans) -> int:
        if scans.classes > 2:
            return len(scans.patients_of(scans.positive))
        return count_disjoint_pairs(scans)
