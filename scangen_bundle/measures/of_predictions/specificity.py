"""Specificity of each scanner at the threshold; with more than two classes that of each class against the rest."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.confusion import negative_columns, specificity
from scangen_bundle.measures.per_scanner import PerScanner
from scangen_bundle.measures.prediction_data import Scans
from scangen_bundle.measures.prediction_measure import DISCRIMINATION, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums


@prediction_measure(
    key="specificity",
    title="Specificity",
    better="higher",
    help="share of the negatives below the threshold",
    group=DISCRIMINATION,
    position=5,
    summary=("scanner",),
)
class Specificity(PerScanner):
    worst = "lowest"

    def columns(self, scans: Scans) -> dict[str, np.ndarray]:
        return negative_columns(scans)

    def value(self, scans: Scans, sums: Sums) -> np.ndarray:
        return specificity(sums)

    def count_trials(self, scans: Scans) -> int:
        return len(scans.patients_of(~scans.positive))
