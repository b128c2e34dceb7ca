"""Sensitivity of each scanner at the threshold; with more than two classes the recall of the predicted class."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.confusion import positive_columns, sensitivity
from scangen_bundle.measures.per_scanner import PerScanner
from scangen_bundle.measures.prediction_data import Scans
from scangen_bundle.measures.prediction_measure import DISCRIMINATION, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums


@prediction_measure(
    key="sensitivity",
    title="Sensitivity",
    better="higher",
    help="share of the positives at or above the threshold",
    group=DISCRIMINATION,
    position=4,
    summary=("scanner",),
)
class Sensitivity(PerScanner):
    worst = "lowest"

    def columns(self, scans: Scans) -> dict[str, np.ndarray]:
        return positive_columns(scans)

    def value(self, scans: Scans, sums: Sums) -> np.ndarray:
        return sensitivity(sums)

    def count_trials(self, scans: Scans) -> int:
        return len(scans.patients_of(scans.positive))
