"""How far mean probabilities are off on each scanner: calibration in the large, in units of probability.

Unlike the intercept of a logistic regression it stays small where the head hardly errs, and is defined with one class.
"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.predictions import Predictions
from scangen_bundle.statistics.bootstrap import patient_sums, ratio

GAP, DRIFT = "calibration_gap", "calibration_drift"


class CalibrationGap:
    """Mean probability minus share of the class, on each scanner and its range over scanners; of patients' weights.

    Keys: `calibration_gap/<scanner>`, of class 1 (two classes) or the mean absolute one (more), and `calibration_drift`, the
    range over scanners, mean over classes.

    Args:
        predictions: of labelled scans.
    """

    def __init__(self, predictions: Predictions) -> None:
        self.scanners = predictions.scanners
        classes = [1] if predictions.classes == 2 else list(range(predictions.classes))
        columns = []
        for scanner in range(len(self.scanners)):
            here = predictions.scanner == scanner
            columns.append(here.astype(np.float64))
            columns += [here * (predictions.probability[:, c] - (predictions.label == c)) for c in classes]
        self._sums = patient_sums(np.column_stack(columns), predictions.patient, len(predictions.patients))
        self.reasons = {} if len(self.scanners) > 1 else {DRIFT: "one scanner only"}

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        totals = (weights @ self._sums).reshape(len(weights), len(self.scanners), -1)
        gap = ratio(totals[..., 1:], totals[..., :1])  # [R, scanners, classes]
        of_scanner = gap[..., 0] if gap.shape[2] == 1 else np.abs(gap).mean(axis=2)
        drift = (gap.max(axis=1) - gap.min(axis=1)).mean(axis=1)
        return {
            **{f"{GAP}/{name}": of_scanner[:, i] for i, name in enumerate(self.scanners)},
            DRIFT: drift if len(self.scanners) > 1 else np.full(len(weights), np.nan),
        }
