"""Calibration in the large: a of the logistic regression of y on a + logit(p); 0 is ideal.

B. Van Calster et al., Journal of Clinical Epidemiology 74, 2016.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logit

from scangen_bundle.measures.logistic import Places, fit_levels
from scangen_bundle.measures.per_scanner import PerScanner
from scangen_bundle.measures.prediction_data import PredictionData, Scans
from scangen_bundle.measures.prediction_measure import CALIBRATION, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums


@prediction_measure(
    key="calibration_intercept",
    title="Calibration intercept",
    better="zero",
    help="below 0 the probabilities are too high on the whole (slope fixed at 1)",
    group=CALIBRATION,
    position=5,
)
class CalibrationIntercept(PerScanner):
    def __init__(self, data: PredictionData) -> None:
        self._places: dict[object, Places] = {}
        super().__init__(data)

    def columns(self, scans: Scans) -> dict[str, np.ndarray]:
        if len(scans):
            self._places[scans.place] = Places(scans, self.data.sums.patients)
        return {"y": scans.positive}

    def value(self, scans: Scans, sums: Sums) -> np.ndarray:
        if scans.positive.all() or not scans.positive.any():
            return np.full(len(sums.weights), np.nan)
        places = self._places[scans.place]
        start = float(logit(scans.positive.mean()) - places.logits.mean())
        return fit_levels(places.x, places.weights(sums), sums["y"], start)

    def reason(self, scans: Scans) -> str:
        return "the labelled scans lack a class"
