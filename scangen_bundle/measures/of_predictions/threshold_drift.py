"""How far the threshold would have to move on each scanner to keep the validation sensitivity."""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.per_scanner import PerScanner
from scangen_bundle.measures.prediction_data import Scans
from scangen_bundle.measures.prediction_measure import CALIBRATION, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums


@prediction_measure(
    key="threshold_drift",
    title="Threshold drift",
    better="zero",
    help="threshold that would keep the validation sensitivity, minus the threshold in use",
    group=CALIBRATION,
    position=6,
    two_classes_only=True,
)
class ThresholdDrift(PerScanner):
    def value(self, scans: Scans, sums: Sums) -> np.ndarray:
        if scans.validation_sensitivity is None:
            return np.full(len(sums.weights), np.nan)
        return scans.ranked(sums).threshold_at_sensitivity(scans.validation_sensitivity) - scans.threshold

    def reason(self, scans: Scans) -> str:
        if scans.validation_sensitivity is None:
            return "the sensitivity on validation was not given: undefined"
        return "no scan of class 1"
