"""Logistic regressions of labels on the logit of the probability, thousands at a time, by Newton's method.

A bootstrap needs one regression per resample. More than `MOST_EXACT` different x are first put on `PLACES` equally spaced
places: each scan is shared among its four neighbours by the weights of cubic interpolation, so that sums of smooth functions
of x are kept. That changes slopes and intercepts by about 1e-6, far less than their intervals show.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import expit, logit

from scangen_bundle.measures.prediction_data import Scans
from scangen_bundle.measures.weighted_sums import Sums
from scangen_bundle.statistics.bootstrap import ratio

CLIP = 1e-7  # probabilities are clipped to this and 1 minus this
MOST_EXACT, PLACES = 512, 256
NEWTON_STEPS = 60
NEWTON_TOLERANCE = 1e-5  # of the last step; convergence is quadratic, so the error that is left is about its square
LARGEST_STEP = 4.0  # of the linear predictor, so that Newton's method does not overshoot
SINGULAR = 1e-14  # relative determinant below which a regression has no slope


class Places:
    """The logits x of one scanner's scans, and the weight of each under weights of the patients.

    Args:
        scans: of one class.
        patients: P, the number of weights.

    Attributes:
        x: [K] places.
        logits: [n] of the scans.
    """

    def __init__(self, scans: Scans, patients: int) -> None:
        self.logits = logit(np.clip(scans.probability, CLIP, 1 - CLIP))
        self.x, index = np.unique(self.logits, return_inverse=True)
        place, patient, share = index, scans.patient, np.ones(len(index))
        if len(self.x) > MOST_EXACT:
            self.x, spacing = np.linspace(self.x[0], self.x[-1], PLACES, retstep=True)
            place, share = share_among_neighbours((self.logits - self.x[0]) / spacing)
            patient = np.tile(scans.patient, 4)
        self._matrix = csr_matrix((share, (place, patient)), shape=(len(self.x), patients))

    def weights(self, sums: Sums) -> np.ndarray:
        """[R, K] weight of each place."""
        return sums.shared("places", lambda: (self._matrix @ sums.weights.T.astype(np.float64)).T)


def share_among_neighbours(position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places and shares [4 n] of positions [n] between 0 and `PLACES` - 1: the weights of cubic interpolation."""
    first = np.clip(position.astype(np.int64) - 1, 0, PLACES - 4)
    t = position - first
    shares = [
        -(t - 1) * (t - 2) * (t - 3) / 6,
        t * (t - 2) * (t - 3) / 2,
        -t * (t - 1) * (t - 3) / 2,
        t * (t - 1) * (t - 2) / 6,
    ]
    return np.concatenate([first, first + 1, first + 2, first + 3]), np.concatenate(shares)


def fit_levels(x: np.ndarray, weights: np.ndarray, positives: np.ndarray, start: float) -> np.ndarray:
    """[R] a of the regressions of y on a + x; NaN where a class has no weight.

    The score equation has one root, as it falls with a. Where scores lie far apart it is flat between steep parts, over which
    plain Newton's method jumps to and fro: a step that leaves the root's bracket becomes the bracket's middle.

    Args:
        x: [K] places.
        weights: [R, K] of each place.
        positives: [R] weighted sums of y.
        start: where to begin.
    """
    scans = np.rint(weights.sum(axis=1))
    odds = np.log(ratio(positives, np.where(positives > 0, scans - positives, 0)))
    low, high = odds - x.max(), odds - x.min()
    level = np.where(np.isfinite(odds), np.clip(start, low, high), np.nan)
    active = np.flatnonzero(np.isfinite(odds))
    for _ in range(NEWTON_STEPS):
        if not len(active):
            break
        before, w = level[active], weights[active]
        p = expit(x + before[:, None])
        fitted = w * p
        gradient = positives[active] - fitted.sum(axis=1)
        hessian = (fitted * (1 - p)).sum(axis=1)
        low[active] = np.where(gradient > 0, before, low[active])
        high[active] = np.where(gradient < 0, before, high[active])
        after = before + ratio(gradient, hessian)
        inside = (after >= low[active]) & (after <= high[active])
        level[active] = np.where(inside, after, (low[active] + high[active]) / 2)
        active = active[~(np.abs(level[active] - before) < NEWTON_TOLERANCE)]
    level[active] = np.nan
    return level


def fit_lines(
    x: np.ndarray, weights: np.ndarray, y: np.ndarray, xy: np.ndarray, start: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """(a [R], b [R]) of the regressions of y on a + b x; NaN where Newton's method does not converge.

    Args:
        x: [K] places.
        weights: [R, K] of each place.
        y, xy: [R] weighted sums.
        start: a and b to begin with.
    """
    line = np.empty((2, len(weights)))
    line[0], line[1] = start
    powers = np.stack([np.ones_like(x), x, x**2], axis=1)
    reach = np.abs(x).max()
    active = np.arange(len(weights))
    for _ in range(NEWTON_STEPS):
        w = weights[active]
        p = expit(line[0, active, None] + np.multiply.outer(line[1, active], x))
        fitted = w * p
        gradient = np.stack([y[active], xy[active]]) - (fitted @ powers[:, :2]).T
        h, hx, hxx = ((fitted * (1 - p)) @ powers).T
        determinant = h * hxx - hx**2
        determinant = np.where(determinant > SINGULAR * h * hxx, determinant, 0)
        step_a = hxx * gradient[0] - hx * gradient[1]
        step_b = h * gradient[1] - hx * gradient[0]
        step = ratio(np.stack([step_a, step_b]), determinant)
        size = np.abs(step[0]) + np.abs(step[1]) * reach
        line[:, active] += step / np.maximum(size / LARGEST_STEP, 1)
        active = active[~(size < NEWTON_TOLERANCE) & np.isfinite(size)]
        if not len(active):
            break
    line[:, active] = np.nan
    return line[0], line[1]
