"""Calibration slope: b of the logistic regression of y on a + b logit(p); 1 is ideal, below 1 is overconfident.

B. Van Calster et al., Journal of Clinical Epidemiology 74, 2016. Where a threshold parts the classes the likelihood has no
maximum, and the slope is undefined.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logit

from scangen_bundle.measures.logistic import Places, fit_lines
from scangen_bundle.measures.per_scanner import PerScanner
from scangen_bundle.measures.prediction_data import PredictionData, Scans
from scangen_bundle.measures.prediction_measure import CALIBRATION, prediction_measure
from scangen_bundle.measures.weighted_sums import Sums

STEEP = (
    20.0  # change of the linear predictor over the scans that a regression of parted classes exceeds before it stops
)


@prediction_measure(
    key="calibration_slope",
    title="Calibration slope",
    better="one",
    help="below 1 the probabilities are too extreme",
    group=CALIBRATION,
    position=4,
    summary=("scanner",),
)
class CalibrationSlope(PerScanner):
    def __init__(self, data: PredictionData) -> None:
        self._places: dict[object, Places] = {}
        self._start: dict[object, tuple[float, float]] = {}
        super().__init__(data)

    def columns(self, scans: Scans) -> dict[str, np.ndarray]:
        if not len(scans):
            return {}
        places = self._places[scans.place] = Places(scans, self.data.sums.patients)
        return {"y": scans.positive, "xy": places.logits * scans.positive}

    def value(self, scans: Scans, sums: Sums) -> np.ndarray:
        if self.reason(scans):
            return np.full(len(sums.weights), np.nan)
        places = self._places[scans.place]
        start = self._start.get(scans.place, (float(logit(scans.positive.mean())), 0.0))
        intercept, slope = fit_lines(places.x, places.weights(sums), sums["y"], sums["xy"], start)
        if scans.place not in self._start and np.isfinite(slope[0]):  # the observed data: resamples lie near them
            self._start[scans.place] = float(intercept[0]), float(slope[0])
        far_out = np.flatnonzero(np.abs(slope) * np.ptp(places.x) > STEEP)
        slope[far_out[_parted(scans, sums.weights[far_out])]] = np.nan
        both = (sums["y"] > 0) & (sums["y"] < sums["scans"])
        return np.where(both, slope, np.nan)

    def reason(self, scans: Scans) -> str:
        """Why the slope is undefined on the observed data; "" where it is defined."""
        if scans.positive.all() or not scans.positive.any():
            return "the labelled scans lack a class"
        positive, negative = scans.probability[scans.positive], scans.probability[~scans.positive]
        if np.ptp(scans.probability) == 0:
            return "all scans have the same score"
        if positive.min() >= negative.max() or positive.max() <= negative.min():
            return "the score parts the classes completely, so the slope has no bound"
        return ""


def _parted(scans: Scans, weights: np.ndarray) -> np.ndarray:
    """[R] whether a threshold parts the classes of the drawn scans, be it with ties."""
    drawn = weights[:, scans.patient] > 0
    positive, negative = scans.positive, ~scans.positive
    low, high = _ends(scans.probability[negative], drawn[:, negative])
    low_positive, high_positive = _ends(scans.probability[positive], drawn[:, positive])
    return (low_positive >= high) | (high_positive <= low)


def _ends(values: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest [R] of the values [n] that are drawn, [R, n]."""
    lowest = np.where(drawn, values, np.inf).min(axis=1)
    highest = np.where(drawn, values, -np.inf).max(axis=1)
    return lowest, highest
