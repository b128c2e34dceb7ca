"""Points of curves, ready to draw: ROC with a confidence band, reliability, Bland-Altman. Arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scangen_bundle.statistics.bootstrap import PatientBootstrap

BAND_POINTS = 101  # false positive rates at which a band is computed


@dataclass(frozen=True)
class RocBand:
    """An ROC curve and its pointwise band.

    Attributes:
        false_positive_rate, true_positive_rate: the curve's corners [K].
        grid: false positive rates [G] of the band.
        low, high: true positive rates [G] of the band's edges.
    """

    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray
    grid: np.ndarray
    low: np.ndarray
    high: np.ndarray


def roc_corners(label: np.ndarray, score: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates [K] of a weighted ROC curve, one corner per distinct score, from (0, 0) to (1, 1).

    Args:
        label: [n], 1 is positive.
        score: [n] finite, sorted from high to low.
        weight: [n], 0 or more.
    """
    ends = np.append(np.nonzero(np.diff(score))[0], len(score) - 1)
    true = np.cumsum(weight * (label == 1))[ends]
    false = np.cumsum(weight * (label != 1))[ends]
    return np.append(0.0, false / false[-1]), np.append(0.0, true / true[-1])


def roc_band(
    label: ArrayLike,
    score: ArrayLike,
    patient: ArrayLike,
    *,
    resamples: int = 500,
    seed: int = 0,
) -> RocBand:
    """An ROC curve with the pointwise 95 % band of a percentile bootstrap over patients, drawn within their sets of labels.

    Averages vertically: at each false positive rate the band holds the resamples' true positive rates (T. Fawcett, "An
    introduction to ROC analysis", Pattern Recognition Letters 27, 2006, 861-874, section 8.2).

    Args:
        label: [n], 1 is positive.
        score: [n], higher means more likely positive.
        patient: [n]; a patient's scans are drawn together.
        resamples: bootstrap resamples.
        seed: of the resamples.

    Raises:
        ValueError: only one class.
    """
    label, score = np.asarray(label), np.asarray(score, dtype=np.float64)
    if len(np.unique(label == 1)) < 2:
        raise ValueError("an ROC curve needs scans of both classes")
    order = np.argsort(-score, kind="stable")
    label, score = label[order], score[order]
    codes = np.unique(np.asarray(patient)[order], return_inverse=True)[1]
    strata = 2 * (np.bincount(codes, label == 1) > 0) + (np.bincount(codes, label != 1) > 0)
    false, true = roc_corners(label, score, np.ones(len(label)))
    grid = np.linspace(0, 1, BAND_POINTS)
    draws = PatientBootstrap(strata, resamples, seed, jackknife=False).rows()
    next(draws)  # the observed data
    curves = [
        np.interp(grid, *_upper_envelope(*roc_corners(label, score, weight)))
        for weight in (patients[codes].astype(np.float64) for patients in draws)
    ]
    low, high = np.quantile(curves, [0.025, 0.975], axis=0)
    return RocBand(false, true, grid, low, high)


def _upper_envelope(false: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The highest true positive rate at each false positive rate, so that the curve is a function of it."""
    last = np.append(np.diff(false) > 0, True)
    return false[last], true[last]


@dataclass(frozen=True)
class Reliability:
    """Observed beside predicted frequency in bins of equally many scans.

    Attributes:
        predicted: mean probability of each bin [K].
        observed: share of positives of each bin [K].
        low, high: Wilson interval of `observed` [K].
        count: scans of each bin [K].
    """

    predicted: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    count: np.ndarray


def reliability(label: ArrayLike, probability: ArrayLike, bins: int | None = None) -> Reliability:
    """Bin scans by probability into groups of (nearly) equal size; equal probabilities stay together.

    The interval is E. B. Wilson's (Journal of the American Statistical Association 22, 1927, 209-212). It takes scans as
    independent.

    Args:
        label: [n], 1 is positive.
        probability: [n] of class 1.
        bins: number of groups; None for one per ten scans, 2 to 10.
    """
    label, probability = np.asarray(label), np.asarray(probability, dtype=np.float64)
    bins = bins or int(np.clip(len(label) // 10, 2, 10))
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1]))
    group = np.searchsorted(edges, probability, side="left")
    group = np.unique(group, return_inverse=True)[1]
    count = np.bincount(group)
    observed = np.bincount(group, label == 1) / count
    z = 1.959964  # normal quantile of 95 %
    centre = (observed + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(observed * (1 - observed) / count + z**2 / (4 * count**2))
    return Reliability(np.bincount(group, probability) / count, observed, centre - half, centre + half, count)


@dataclass(frozen=True)
class BlandAltman:
    """Differences of paired scores over their means.

    Attributes:
        mean, difference: [n].
        bias: mean difference.
        lower, upper: limits of agreement, bias -/+ 1.96 standard deviations (ddof 1); NaN for one pair.
    """

    mean: np.ndarray
    difference: np.ndarray
    bias: float
    lower: float
    upper: float


def bland_altman(first: ArrayLike, second: ArrayLike) -> BlandAltman:
    """J. M. Bland and D. G. Altman, "Statistical methods for assessing agreement", The Lancet 327, 1986, 307-310."""
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    difference = first - second
    bias = float(difference.mean())
    spread = 1.96 * float(difference.std(ddof=1)) if len(difference) > 1 else float("nan")
    return BlandAltman((first + second) / 2, difference, bias, bias - spread, bias + spread)
