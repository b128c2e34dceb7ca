"""Do the probabilities mean what they say? Per scanner, under any weighting of the patients.

- `brier`: mean of (p - y)^2 (G. Brier, Mon. Weather Rev. 78, 1950).
- `ece`: expected calibration error, sum over bins of the share of scans times |mean p - mean y|, of `BINS` bins of equal
  width (M. Naeini et al., AAAI 2015). A bin holds its lower edge, the last one also 1.
- `ece_equal_mass`: the same with bins of equal numbers of scans: the n scans of a scanner in order of p are cut into
  `BINS` runs whose lengths differ by at most one, scans with equal p staying in the first of their runs. The bins are those
  of the observed data in every resample, so intervals are of the error and not of the choice of bins.
- `calibration_slope`: b of the logistic regression of y on a + b logit(p), 1 is ideal, below 1 is overconfident.
- `calibration_intercept`: a of the logistic regression with b fixed at 1 (calibration in the large), 0 is ideal (both: B. Van
  Calster et al., J. Clin. Epidemiol. 74, 2016). p is clipped to `CLIP`..1 - `CLIP` for the logit.
- `threshold_drift`: the highest threshold that keeps the validation sensitivity on the scanner, minus the threshold in use.

Both ECE are biased upwards in small samples, and so are their bootstrap values: compare scanners of similar size.
With more than two classes each figure is the mean over the classes, each against the rest; `threshold_drift` is left out.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from scipy.special import expit, logit

from scangen_bundle.metrics.aggregate import OverScanners, Worst
from scangen_bundle.metrics.bootstrap import patient_sums, ratio
from scangen_bundle.metrics.discrimination import Ranking
from scangen_bundle.metrics.predictions import UNLABELLED, Predictions

BINS = 10
CLIP = 1e-7
BINNED = ("ece", "ece_equal_mass")
REGRESSED = ("calibration_slope", "calibration_intercept")
FIGURES = ("brier", *BINNED, *REGRESSED, "threshold_drift")
WORST: dict[str, Worst] = {"brier": "highest", "ece": "highest", "ece_equal_mass": "highest"}
NEWTON_STEPS = 60
NEWTON_TOLERANCE = 1e-6  # of the last step; convergence is quadratic, so the error that is left is about its square
LEAST_SLOPE_BOUND = 1.5  # interpolation is meant for slopes up to this, or up to 1.5 times the observed one
INTERPOLATION_ROWS = 20_000
LARGEST_STEP = 8.0  # of the linear predictor, so that Newton's method does not overshoot


def equal_width_bins(probability: np.ndarray) -> np.ndarray:
    """[N] int64 bin 0..BINS-1 of each probability, bins of equal width."""
    return np.minimum((np.asarray(probability) * BINS).astype(np.int64), BINS - 1)


def equal_mass_bins(probability: np.ndarray) -> np.ndarray:
    """[N] int64 bin 0..BINS-1 of each probability, bins of equal numbers, equal probabilities in one bin."""
    ordered = np.sort(probability)
    first = np.searchsorted(ordered, probability, "left")
    return first * BINS // max(len(ordered), 1)


def calibration_line(label: np.ndarray, probability: np.ndarray) -> tuple[float, float]:
    """(slope, intercept) of labels [N] in {0, 1} and probabilities [N]; NaN where a class is absent or they diverge."""
    line = _Regression(np.asarray(label), np.asarray(probability), np.zeros(len(label), dtype=np.int64), 1)
    slope, intercept = line(np.ones((1, 1), dtype=np.int32))
    return float(slope[0]), float(intercept[0])


class _Regression:
    """Logistic regression of y on x = logit(p) of one scanner, for many weightings at once, by Newton's method.

    Newton's method needs weighted sums of smooth functions of x. They are taken over interpolation nodes in place of the
    scans, where that is fewer: the sum of w_i g(x_i) is the sum over nodes of g(node) times the weighted sum of the node's
    Lagrange polynomial, for g of the logistic family exact to about 1e-12 (L. Trefethen, Approximation Theory and
    Approximation Practice, 2013, chapters 5 and 8).
    """

    def __init__(self, label: np.ndarray, probability: np.ndarray, patient: np.ndarray, patients: int) -> None:
        x = logit(np.clip(np.asarray(probability, dtype=np.float64), CLIP, 1 - CLIP))
        y = np.asarray(label, dtype=np.float64)
        positive, negative = x[y == 1], x[y == 0]
        self.defined = bool(len(positive) and len(negative))
        # The slope's likelihood has no maximum where a threshold parts the classes, be it with ties at the threshold.
        self.separated = self.defined and bool(positive.min() >= negative.max() or positive.max() <= negative.min())
        self.constant = self.defined and bool(np.ptp(x) == 0)
        self._fits_slope = self.defined and not self.separated and not self.constant
        if not self.defined:
            return
        self._extremes = [_extremes(x[y == value], patient[y == value], patients) for value in (0, 1)]
        self._level, self._line = logit(y.mean()) - x.mean(), (logit(y.mean()), 0.0)
        bound = LEAST_SLOPE_BOUND
        for _ in range(2):  # the second time around the solution: near it Newton's method takes few steps
            self._nodes, columns = interpolation(x, patient, patients, bound)
            self._columns = np.concatenate(
                [columns, patient_sums(np.stack([y, y * x], axis=1), patient, patients)], axis=1
            )
            slope, level, intercept = self._fit(np.ones((1, patients)))
            self._level = float(level[0])
            if not np.isfinite(slope[0]):
                self._fits_slope = False
                break
            self._line = float(intercept[0]), float(slope[0])
            bound = max(LEAST_SLOPE_BOUND, 1.5 * abs(self._line[1]))

    def __call__(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(slope [R], intercept at slope 1 [R]) for weights [R, P]; NaN where a class has no weight or Newton diverges."""
        if not self.defined:
            nothing = np.full(len(weights), np.nan)
            return nothing, nothing
        return self._fit(weights)[:2]

    def _fit(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(slope, intercept at slope 1, the slope's intercept), each [R]."""
        totals = weights @ self._columns
        at_nodes, sums = totals[:, :-2], totals[:, -2:]
        rows = len(weights)
        level = _levels(self._nodes, at_nodes, sums[:, 0], np.full(rows, self._level))
        if not self._fits_slope:
            nothing = np.full(rows, np.nan)
            return nothing, level, nothing
        start = np.full(rows, self._line[0]), np.full(rows, self._line[1])
        intercept, slope = _newton(self._nodes, at_nodes, sums, *start)
        return np.where(self._parted(weights), np.nan, slope), level, intercept

    def _parted(self, weights: np.ndarray) -> np.ndarray:
        """[R] whether a threshold parts the drawn patients' classes, or one is absent: there Newton's method ends anywhere."""
        drawn = weights > 0
        (low0, high0), (low1, high1) = (
            (np.where(drawn, low, np.inf).min(axis=1), np.where(drawn, high, -np.inf).max(axis=1))
            for low, high in self._extremes
        )
        return (low1 >= high0) | (high1 <= low0)


def _extremes(x: np.ndarray, patient: np.ndarray, patients: int) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest x of each patient, [P] each; infinite where there is none, so that it never decides."""
    low, high = np.full(patients, np.inf), np.full(patients, -np.inf)
    np.minimum.at(low, patient, x)
    np.maximum.at(high, patient, x)
    return low, high


def interpolation(x: np.ndarray, patient: np.ndarray, patients: int, slope: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes [K] for functions of slope * x of the logistic family, and each patient's sums of Lagrange polynomials [P, K].

    The logistic function of slope * x is analytic up to pi / slope off the real axis, which gives the number of Chebyshev
    nodes for an error of about 1e-14. Where the distinct x are no more than that, they are the nodes.
    """
    distinct, place = np.unique(x, return_inverse=True)
    middle, half = (distinct[0] + distinct[-1]) / 2, max((distinct[-1] - distinct[0]) / 2, 1e-300)
    height = np.pi / (slope * half)
    degree = int(np.ceil(33 / np.log(height + np.hypot(height, 1)))) + 4
    if len(distinct) <= degree + 1:
        sums = np.zeros((patients, len(distinct)))
        np.add.at(sums, (patient, place), 1.0)
        return distinct, sums
    unit = np.cos(np.pi * np.arange(degree + 1) / degree)
    signs = np.where(np.arange(degree + 1) % 2, -1.0, 1.0)
    signs[[0, -1]] /= 2
    scaled, sums = (x - middle) / half, np.zeros((patients, degree + 1))
    for start in range(0, len(x), INTERPOLATION_ROWS):
        rows = slice(start, start + INTERPOLATION_ROWS)
        distance = scaled[rows, None] - unit
        exact = np.abs(distance) < 1e-15
        values = signs / np.where(exact, 1.0, distance)
        hit = exact.any(axis=1)
        values[hit] = exact[hit]
        values /= values.sum(axis=1, keepdims=True)
        sums += patient_sums(values, patient[rows], patients)
    return middle + half * unit, sums


def _levels(x: np.ndarray, weights: np.ndarray, positives: np.ndarray, level: np.ndarray) -> np.ndarray:
    """[R] intercepts at slope 1 of the logistic regressions on x [K] with weights [R, K]; NaN where a class has no weight.

    The score equation has one root, as it falls with the intercept. Where scores lie far apart it is flat between steep parts,
    over which plain Newton's method jumps to and fro: a step that leaves the root's bracket becomes the bracket's middle.

    Args:
        x: places of the scans, or nodes.
        weights: of each place.
        positives: [R] weighted sums of y.
        level: [R] where to start.
    """
    scans = np.rint(weights.sum(axis=1))  # of interpolation, exact to rounding only
    odds = np.log(ratio(positives, np.where(positives > 0, scans - positives, 0)))
    low, high = odds - x.max(), odds - x.min()
    level = np.where(np.isfinite(odds), np.clip(level, low, high), np.nan)
    active = np.flatnonzero(np.isfinite(odds))
    for _ in range(NEWTON_STEPS):
        if not len(active):
            break
        before, w = level[active], weights[active]
        p = expit(x + before[:, None])
        gradient, hessian = positives[active] - (w * p).sum(axis=1), (w * (p * (1 - p))).sum(axis=1)
        low[active] = np.where(gradient > 0, before, low[active])
        high[active] = np.where(gradient < 0, before, high[active])
        after = before + ratio(gradient, hessian)
        inside = (after >= low[active]) & (after <= high[active])
        level[active] = np.where(inside, after, (low[active] + high[active]) / 2)
        active = active[~(np.abs(level[active] - before) < NEWTON_TOLERANCE)]
    level[active] = np.nan
    return level


def _newton(
    x: np.ndarray, weights: np.ndarray, sums: np.ndarray, intercept: np.ndarray, slope: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(intercept [R], slope [R]) of the logistic regressions on x [K] with weights [R, K]; NaN where Newton diverges.

    Args:
        x: places of the scans, or nodes.
        weights: of each place.
        sums: [R, 2] weighted sums of y and of x y.
        intercept, slope: [R] where to start.
    """
    powers = np.stack([np.ones_like(x), x, x**2], axis=1)
    largest = np.abs(x).max()
    active = np.arange(len(weights))
    taken, rise = np.zeros((2, len(weights))), np.full(len(weights), np.inf)  # the last step, and what it promised
    for _ in range(NEWTON_STEPS):
        w = weights[active]
        p = expit(np.multiply.outer(slope[active], x) + intercept[active, None])
        gradient = sums[active] - (w * p) @ powers[:, :2]
        hessian = (w * (p * (1 - p))) @ powers
        step = np.stack(_newton_step(*gradient.T, *hessian.T))
        size = np.abs(step[0]) + np.abs(step[1]) * largest
        step /= np.maximum(size / LARGEST_STEP, 1)
        # The likelihood is concave: where it falls more steeply behind a step than it rose before it, half the step is better.
        too_far = (taken[:, active] * gradient.T).sum(axis=0) < -rise[active]
        step = np.where(too_far, -taken[:, active] / 2, step)
        taken[:, active] = np.where(too_far, -step, step)
        rise[active] = np.where(too_far, rise[active] / 2, (step * gradient.T).sum(axis=0))
        intercept[active] += step[0]
        slope[active] += step[1]
        bad = ~np.isfinite(step[0])
        intercept[active[bad]] = slope[active[bad]] = np.nan
        active = active[(too_far | ~(size < NEWTON_TOLERANCE)) & ~bad]
        if not len(active):
            break
    intercept[active] = slope[active] = np.nan
    return intercept, slope


def _newton_step(
    gradient: np.ndarray, gradient_x: np.ndarray, h: np.ndarray, hx: np.ndarray, hxx: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Solve the 2 x 2 systems [[h, hx], [hx, hxx]] step = gradient, each [R]; NaN where singular."""
    determinant = h * hxx - hx**2
    determinant = np.where(determinant > 1e-14 * h * hxx, determinant, 0)
    return ratio(hxx * gradient - hx * gradient_x, determinant), ratio(h * gradient_x - hx * gradient, determinant)


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
        self._regressions: dict[str, list[_Regression]] = {}
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
                    self._regressions[scanner].append(_Regression(label, probability, patient, patients))
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
