"""DeLong's variance of an AUROC, and his test of two AUROCs on the same scans.

E. DeLong, D. DeLong, D. Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
characteristic curves", Biometrics 44, 1988. DeLong's variance assumes that the scans are independent, so it suits one
scanner with one specimen per patient. With several specimens per patient its intervals are too narrow; use the patient
bootstrap instead. At an AUROC of 0 or 1 its variance is 0, so the exact interval of `statistics/exact.py` over scans is used.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from scangen_bundle.statistics.exact import EXACT, exact_interval


class DeLong(NamedTuple):
    """An AUROC with its standard error and interval; NaN with a reason where undefined.

    The interval is normal and cut to 0..1 (`method` "DeLong"), or exact.
    """

    auroc: float
    standard_error: float
    low: float
    high: float
    reason: str = ""
    method: str = ""


class DeLongTest(NamedTuple):
    """Difference of two AUROCs (second - first) on the same scans, its standard error, z and two-sided p-value."""

    difference: float
    standard_error: float
    z: float
    p_value: float
    reason: str = ""


def placements(label: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of the negatives below each positive [n1], and of the positives above each negative [n0], ties half."""
    positive = np.asarray(label) == 1
    score = np.asarray(score, dtype=np.float64)
    positives, negatives = score[positive], score[~positive]
    return _share_below(negatives, positives), 1 - _share_below(positives, negatives)


def _share_below(reference: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Share of the reference scores [m] below each score [n], ties half."""
    ordered = np.sort(reference)
    below = np.searchsorted(ordered, scores, "left")
    not_above = np.searchsorted(ordered, scores, "right")
    return (below + not_above) / (2 * max(len(ordered), 1))


def delong_covariance(label: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUROCs [K] and their covariance [K, K] of K models' scores [K, N] for labels [N] in {0, 1}.

    Raises:
        ValueError: fewer than two scans of a class.
    """
    positives = int(np.sum(np.asarray(label) == 1))
    negatives = len(label) - positives
    if min(positives, negatives) < 2:
        raise ValueError("DeLong's variance needs two scans of each class")
    of_positive = np.empty((len(scores), positives))
    of_negative = np.empty((len(scores), negatives))
    for model, score in enumerate(scores):
        of_positive[model], of_negative[model] = placements(label, score)
    covariance = np.cov(of_positive) / positives + np.cov(of_negative) / negatives
    return of_positive.mean(axis=1), np.atleast_2d(covariance)


def delong_interval(label: np.ndarray, score: np.ndarray, confidence: float = 0.95) -> DeLong:
    """AUROC of scores [N] for labels [N] in {0, 1} with its interval."""
    nan = float("nan")
    try:
        auroc, covariance = delong_covariance(label, np.asarray(score)[None])
    except ValueError as error:
        return DeLong(nan, nan, nan, nan, str(error))
    value = float(auroc[0])
    deviation = float(np.sqrt(covariance[0, 0]))
    if deviation == 0 and value in (0.0, 1.0):
        positives = int(np.sum(np.asarray(label) == 1))
        exact = exact_interval(value, min(positives, len(label) - positives), confidence)
        return DeLong(value, nan, *exact, "all scans are in one order, so the variance is not estimable", EXACT)
    if deviation == 0:
        return DeLong(value, nan, nan, nan, "every scan has the same placement, so the variance is not estimable")
    half = float(ndtri((1 + confidence) / 2)) * deviation
    return DeLong(value, deviation, max(0.0, value - half), min(1.0, value + half), method="DeLong")


def delong_test(label: np.ndarray, first: np.ndarray, second: np.ndarray) -> DeLongTest:
    """Test whether two models' scores [N] have the same AUROC for labels [N] in {0, 1}."""
    nan = float("nan")
    try:
        auroc, covariance = delong_covariance(label, np.stack([first, second]))
    except ValueError as error:
        return DeLongTest(nan, nan, nan, nan, str(error))
    difference = float(auroc[1] - auroc[0])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if variance <= 1e-16:
        return DeLongTest(difference, nan, nan, nan, "the two models order the scans alike, so the variance is 0")
    z = difference / variance**0.5
    return DeLongTest(difference, variance**0.5, z, float(2 * ndtr(-abs(z))))
