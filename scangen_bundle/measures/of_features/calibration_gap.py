"""How far mean probabilities are off on each scanner: calibration in the large, in units of probability.

Unlike the intercept of a logistic regression it stays small where the head hardly errs, and is defined with one class.
"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.feature_measure import AT, DOWNSTREAM, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews, shuffled_rows
from scangen_bundle.measures.predictions import Predictions
from scangen_bundle.statistics.bootstrap import patient_sums, ratio

GAP, DRIFT = "downstream/calibration_gap", "downstream/calibration_drift"
SHUFFLES = 20


@feature_measure(
    FeatureMeasure(
        GAP,
        "calibration gap",
        "zero",
        "Mean probability minus share of the class: above 0 the head says too much here.",
        baseline="0",
        group=DOWNSTREAM,
        position=20,
        by="scanner",
    ),
    FeatureMeasure(
        DRIFT,
        "calibration drift",
        "lower",
        "Range over scanners of mean probability minus share of the class.",
        baseline="scanners that do not differ",
        group=DOWNSTREAM,
        position=21,
    ),
)
def calibration_gap(features: FeatureViews) -> Measured:
    predictions = features.predictions
    return Measured(
        [CalibrationGap(predictions)],
        len(predictions.patients),
        rows=len(predictions.patient),
        baselines={GAP: 0.0, DRIFT: chance_drift(predictions, features.generator())},
        strata=predictions.strata(),
    )


def chance_drift(predictions: Predictions, generator: np.random.Generator) -> float:
    """The drift of scanners that do not differ.

    Each specimen's scores are shuffled among its scanners; where no specimen was scanned twice, among all scans of a label.
    """
    scanned_twice = len(predictions.specimens) < len(predictions.label)
    alike = predictions.specimen if scanned_twice else predictions.label
    everyone = np.ones((1, len(predictions.patients)), dtype=np.int32)
    drifts = []
    for _ in range(SHUFFLES):
        rows = shuffled_rows(alike, generator)
        mixed = predictions.with_probability(predictions.probability[rows])
        drifts.append(CalibrationGap(mixed)(everyone)[DRIFT][0])
    return float(np.mean(drifts))


class CalibrationGap:
    """Mean probability minus share of the class, on each scanner, and its range over scanners.

    A statistic of patients' weights. `downstream/calibration_gap@<scanner>` is of class 1 (two classes) or the mean absolute
    one (more); `downstream/calibration_drift` is the range over scanners, mean over classes.

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
            for c in classes:
                gap = predictions.probability[:, c] - (predictions.label == c)
                columns.append(here * gap)
        self._sums = patient_sums(np.column_stack(columns), predictions.patient, len(predictions.patients))
        self.reasons = {} if len(self.scanners) > 1 else {DRIFT: "one scanner only"}

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        totals = (weights @ self._sums).reshape(len(weights), len(self.scanners), -1)
        gap = ratio(totals[..., 1:], totals[..., :1])  # [R, scanners, classes]
        of_scanner = gap[..., 0] if gap.shape[2] == 1 else np.abs(gap).mean(axis=2)
        drift = (gap.max(axis=1) - gap.min(axis=1)).mean(axis=1)
        values = {f"{GAP}{AT}{name}": of_scanner[:, i] for i, name in enumerate(self.scanners)}
        values[DRIFT] = drift if len(self.scanners) > 1 else np.full(len(weights), np.nan)
        return values
