"""Do the probabilities mean what they say? Per scanner, under any weighting of the patients.

- `brier`: mean of (p - y)^2 (G. Brier, Mon. Weather Rev. 78, 1950).
- `ece`: expected calibration error, sum over bins of the share of scans times |mean p - mean y|, of `BINS` bins of equal
  width (M. Naeini et al., AAAI 2015). A bin holds its lower edge, the last one also 1.
- `ece_equal_mass`: the same with bins of equal numbers of scans: the n scans of a scanner in order of p are cut into
  `BINS` runs whose lengths differ by at most one, scans with equal p staying in the first of their runs. The bins are those
  of the observed data in every resample, so intervals are of the error and not of the choice of bins.
- `calibration_slope` and `calibration_intercept`: see `calibration_slope.py`.
- `threshold_drift`: the highest threshold that keeps the validation sensitivity on the scanner, minus the threshold in use.

Both ECE are biased upwards in small samples, and so are their bootstrap values: compare scanners of similar size.
With more than two classes each figure is the mean over the classes, each against the rest; `threshold_drift` is left out.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from scangen_bundle.measures.calibration_slope import CalibrationLine
from scangen_bundle.measures.discrimination import Ranking
from scangen_bundle.measures.predictions import UNLABELLED, Predictions
from scangen_bundle.statistics.aggregate import OverScanners, Worst
from scangen_bundle.statistics.bootstrap import patient_sums, ratio

BINS = 10
REGRESSED = ("calibration_slope", "calibration_intercept")
FIGURES = ("brier", "ece", "ece_equal_mass", *REGRESSED, "threshold_drift")
WORST: dict[str, Worst] = {"brier": "highest", "ece": "highest", "ece_equal_mass": "highest"}


def equal_width_bins(probability: np.ndarray) -> np.ndarray:
    """[N] int64 bin 0..BINS-1 of each probability, bins of equal width."""
    return np.minimum((np.asarray(probability) * BINS).astype(np.int64), BINS - 1)


def equal_mass_bins(probability: np.ndarray) -> np.ndarray:
    """[N] int64 bin 0..BINS-1 of each probability, bins of equal numbers, equal probabilities in one bin."""
    ordered = np.sort(probability)
    first = np.searchsorted(ordered, probability, "left")
    return first * BINS // max(len(ordered), 1)


class Calibration:
    """Calibration of each scanner and its mean and range, as a statistic of patient weights.

    Keys: `<figure>/<scanner>`, `<figure>/mean`, `/range`, and `/worst` for `brier` and both ECE. Unlabelled scans do not count.

    Args:
        predictions: the scans.
        threshold: of the probability of class 1.
        validation_sensitivity: what the threshold had on validation; None leaves `threshold_drift` undefined.
        unseen: scanners not trained on.
        wanted: figures to compute.
    """

    def __init__(
        self,
        predictions: Predictions,
        threshold: float,
        validation_sensitivity: float | None = None,
        unseen: Collection[str] = (),
        wanted: Collection[str] = FIGURES,
    ) -> None:
        self.scanners, self.threshold, self.sensitivity = predictions.scanners, threshold, validation_sensitivity
        self.wanted = tuple(name for name in FIGURES if name in wanted)
        if predictions.classes > 2:
            self.wanted = tuple(name for name in self.wanted if name != "threshold_drift")
        self.reasons: dict[str, str] = {}
        self._classes = [1] if predictions.classes == 2 else list(range(predictions.classes))
        self._regressions: dict[str, list[CalibrationLine]] = {}
        self._rankings: dict[str, Ranking] = {}
        patients, columns = len(predictions.patients), []
        for index, scanner in enumerate(self.scanners):
            rows = np.flatnonzero((predictions.scanner == index) & (predictions.label != UNLABELLED))
            patient = predictions.patient[rows]
            self._regressions[scanner] = []
            for c in self._classes:
                label = (predictions.label[rows] == c).astype(np.float64)
                probability = predictions.probability[rows, c]
                columns.append(_linear_columns(label, probability, patient, patients))
                if set(REGRESSED) & set(self.wanted):
                    self._regressions[scanner].append(CalibrationLine(label, probability, patient, patients))
            if "threshold_drift" in self.wanted:
                self._rankings[scanner] = Ranking(label == 1, probability, patient)
            self._note_reasons(scanner, len(rows))
        self._columns = np.concatenate(columns, axis=1)
        self.aggregates = [
            OverScanners(name, self.scanners, self.reasons, unseen, WORST.get(name, "none")) for name in self.wanted
        ]
        for aggregate in self.aggregates:
            self.reasons.update(aggregate.reasons)

    def _note_reasons(self, scanner: str, scans: int) -> None:
        reasons = dict.fromkeys(self.wanted, "no labelled scan") if not scans else {}
        fits = self._regressions[scanner] if scans else []
        if not all(fit.defined for fit in fits):
            reasons.update(dict.fromkeys(REGRESSED, "the labelled scans lack a class"))
        elif any(fit.constant for fit in fits):
            reasons["calibration_slope"] = "all scans have the same score"
        elif any(fit.separated for fit in fits):
            reasons["calibration_slope"] = "the score parts the classes completely, so the slope has no bound"
        if "threshold_drift" in self.wanted and scans:
            if self.sensitivity is None:
                reasons["threshold_drift"] = "the sensitivity on validation was not given"
            elif not len(self._rankings[scanner].positives):
                reasons["threshold_drift"] = "no scan of class 1"
        for name in self.wanted:
            if name in reasons:
                self.reasons[f"{name}/{scanner}"] = f"{reasons[name]} (scanner {scanner})"

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Figures [R] by key for integer weights [R, P]."""
        shape = len(weights), len(self.scanners), len(self._classes), 2 + 2 * BINS
        totals = (weights @ self._columns).reshape(shape)
        count = totals[..., 0]
        linear = {
            "brier": ratio(totals[..., 1], count),
            "ece": ratio(np.abs(totals[..., 2 : 2 + BINS]).sum(axis=-1), count),
            "ece_equal_mass": ratio(np.abs(totals[..., 2 + BINS :]).sum(axis=-1), count),
        }
        figures: dict[str, np.ndarray] = {}
        for index, scanner in enumerate(self.scanners):
            for name in linear:
                figures[f"{name}/{scanner}"] = linear[name][:, index].mean(axis=1)
            if fits := self._regressions[scanner]:
                slope, intercept = np.mean([fit(weights) for fit in fits], axis=0)
                figures[f"calibration_slope/{scanner}"] = slope
                figures[f"calibration_intercept/{scanner}"] = intercept
            if scanner in self._rankings:
                figures[f"threshold_drift/{scanner}"] = self._drift(scanner, weights)
        figures = {key: value for key, value in figures.items() if key.partition("/")[0] in self.wanted}
        for aggregate in self.aggregates:
            figures.update(aggregate(figures))
        return figures

    def _drift(self, scanner: str, weights: np.ndarray) -> np.ndarray:
        if self.sensitivity is None:
            return np.full(len(weights), np.nan)
        return self._rankings[scanner].threshold_at_sensitivity(weights, self.sensitivity) - self.threshold


def _linear_columns(label: np.ndarray, probability: np.ndarray, patient: np.ndarray, patients: int) -> np.ndarray:
    """[P, 2 + 2 BINS] per-patient sums: scans, squared error, and p - y in each bin of either kind."""
    gap = probability - label
    hot = [
        np.where(bins[:, None] == np.arange(BINS), gap[:, None], 0.0)
        for bins in (equal_width_bins(probability), equal_mass_bins(probability))
    ]
    return patient_sums(np.column_stack([np.ones(len(gap)), gap**2, *hot]), patient, patients)
