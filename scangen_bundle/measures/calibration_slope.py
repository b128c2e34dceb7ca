"""Calibration slope and intercept: logistic regressions of the label on the logit of the probability.

The slope is b of the logistic regression of y on a + b logit(p): 1 is ideal, below 1 is overconfident. The intercept is a of
the one with b fixed at 1 (calibration in the large): 0 is ideal (B. Van Calster et al., J. Clin. Epidemiol. 74, 2016). p is
clipped to `CLIP`..1 - `CLIP` for the logit. A bootstrap needs thousands of such fits, so they are made side by side.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from scangen_bundle.statistics.bootstrap import patient_sums, ratio

CLIP = 1e-7
NEWTON_STEPS = 60
NEWTON_TOLERANCE = 1e-6  # of the last step; convergence is quadratic, so the error that is left is about its square
LEAST_SLOPE_BOUND = 1.5  # interpolation is meant for slopes up to this, or up to 1.5 times the observed one
INTERPOLATION_ROWS = 20_000
LARGEST_STEP = 8.0  # of the linear predictor, so that Newton's method does not overshoot


def calibration_line(label: np.ndarray, probability: np.ndarray) -> tuple[float, float]:
    """(slope, intercept) of labels [N] in {0, 1} and probabilities [N]; NaN where a class is absent or they diverge."""
    line = CalibrationLine(np.asarray(label), np.asarray(probability), np.zeros(len(label), dtype=np.int64), 1)
    slope, intercept = line(np.ones((1, 1), dtype=np.int32))
    return float(slope[0]), float(intercept[0])


class CalibrationLine:
    """Logistic regression of y on x = logit(p) of one scanner, for many weightings at once, by Newton's method.

    Newton's method needs weighted sums of smooth functions of x. They are taken over interpolation nodes in place of the
    scans, where that is fewer: the sum of w_i g(x_i) is the sum over nodes of g(node) times the weighted sum of the node's
    Lagrange polynomial, for g of the logistic family exact to about 1e-12 (L. Trefethen, Approximation Theory and
    Approximation Practice, 2013, chapters 5 and 8).

    Args:
        label: [n] in {0, 1}.
        probability: [n].
        patient: [n] int64 column of each scan in the weights.
        patients: columns of the weights.

    Attributes:
        defined: both classes occur.
        separated: a threshold parts them, so that the slope has no bound.
        constant: all scans have the same probability.
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
