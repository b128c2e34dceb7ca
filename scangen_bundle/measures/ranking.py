"""Scans in order of their scores: AUROC, average precision and thresholds, under many weightings of the patients.

AUROC is the share of (positive, negative) pairs in the right order, ties counting half (J. Hanley, B. McNeil, Radiology
143, 1982). Average precision is the sum over thresholds of the gain in recall times the precision there, without
interpolation.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from scangen_bundle.statistics.bootstrap import ratio


class Ranking:
    """Scans sorted by score once.

    Args:
        positive: [n] bool.
        score: [n] float.
        patient: [n] int64 column of each scan in the weights; None: each scan has its own.

    Attributes:
        positives: scores of the positive scans, ascending.
    """

    def __init__(self, positive: np.ndarray, score: np.ndarray, patient: np.ndarray | None = None) -> None:
        positive = np.asarray(positive, dtype=bool)
        score = np.asarray(score, dtype=np.float64)
        patient = np.arange(len(score)) if patient is None else np.asarray(patient)
        order = np.argsort(score, kind="stable")
        positive, score, patient = positive[order], score[order], patient[order]
        negatives, self.positives = score[~positive], score[positive]
        self.negative_patient, self.positive_patient = patient[~positive], patient[positive]
        self.below = np.searchsorted(negatives, self.positives, "left")
        self.not_above = np.searchsorted(negatives, self.positives, "right")
        self.first = np.searchsorted(self.positives, self.positives, "left")
        self.positive_ties = bool((self.first != np.arange(len(self.first))).any())
        self.ties = bool((self.below != self.not_above).any())

    def weighted(self, weights: np.ndarray) -> WeightedRanking:
        """The ranking under integer weights [R, P]."""
        return WeightedRanking(self, weights)


class WeightedRanking:
    """A ranking under weights [R, P]; what several measures need is computed once."""

    def __init__(self, ranking: Ranking, weights: np.ndarray) -> None:
        self.ranking, self._weights = ranking, weights
        negative = _running_total(weights, ranking.negative_patient)
        self._total_negative = negative[:, -1]
        self._below = np.take(negative, ranking.below, axis=1)
        self._not_above = np.take(negative, ranking.not_above, axis=1) if ranking.ties else self._below
        self._positive = np.take(weights, ranking.positive_patient, axis=1)

    @cached_property
    def _total_positive(self) -> np.ndarray:
        return self._positive.sum(axis=1, dtype=np.float64)

    @cached_property
    def _at_or_above(self) -> np.ndarray:
        """[R, n1] weight of the positives whose score is at least each one's."""
        before = _running_total(self._weights, self.ranking.positive_patient)
        below = np.take(before, self.ranking.first, axis=1) if self.ranking.positive_ties else before[:, :-1]
        return before[:, -1:] - below

    def auroc(self) -> np.ndarray:
        """[R]; NaN where one class has no weight."""
        twice = self._below + self._not_above
        right = np.einsum("rn,rn->r", self._positive, twice, dtype=np.float64) / 2
        return ratio(right, self._total_negative.astype(np.float64) * self._total_positive)

    def average_precision(self) -> np.ndarray:
        """[R]; NaN where one class has no weight."""
        true = self._at_or_above.astype(np.float64)
        flagged = true + (self._total_negative[:, None] - self._below)
        precision = np.divide(true, flagged, out=np.zeros_like(true), where=flagged > 0)
        total = np.einsum("rn,rn->r", self._positive, precision)
        return ratio(total, np.where(self._total_negative > 0, self._total_positive, 0))

    def threshold_at_sensitivity(self, sensitivity: float) -> np.ndarray:
        """[R] the highest threshold (score >= threshold is positive) that keeps at least `sensitivity`."""
        positives = self.ranking.positives
        if not len(positives):
            return np.full(len(self._weights), np.nan)
        total = self._total_positive
        enough = (self._at_or_above >= sensitivity * total[:, None] - 1e-9).sum(axis=1)
        return np.where(total > 0, positives[np.maximum(enough - 1, 0)], np.nan)


def _running_total(weights: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """[R, n + 1] int32 or wider: sum of the weights of the first k scans."""
    total = np.zeros((len(weights), len(patient) + 1), dtype=weights.dtype)
    np.cumsum(np.take(weights, patient, axis=1), axis=1, out=total[:, 1:], dtype=weights.dtype)
    return total


def auroc(label: np.ndarray, score: np.ndarray) -> float:
    """AUROC of scores [N] for labels [N] in {0, 1}; NaN where one class is absent."""
    return float(_unweighted(label, score).auroc()[0])


def average_precision(label: np.ndarray, score: np.ndarray) -> float:
    """Average precision of scores [N] for labels [N] in {0, 1}; NaN where one class is absent."""
    return float(_unweighted(label, score).average_precision()[0])


def _unweighted(label: np.ndarray, score: np.ndarray) -> WeightedRanking:
    return Ranking(np.asarray(label) == 1, score).weighted(np.ones((1, len(label)), dtype=np.int32))


def youden_threshold(label: np.ndarray, score: np.ndarray) -> float:
    """The threshold (score >= threshold is positive) with the largest sensitivity + specificity, the highest on a draw.

    It lies midway between two neighbouring scores, so that rounding does not flip a scan. NaN where one class is absent
    (W. Youden, Cancer 3, 1950). Choose it on validation patients, never on test.
    """
    from sklearn.metrics import roc_curve

    positive = np.asarray(label) == 1
    score = np.asarray(score, dtype=np.float64)
    if positive.all() or not positive.any():
        return float("nan")
    false, true, thresholds = roc_curve(positive, score, drop_intermediate=False)
    youden = (true - false)[1:]  # without the first one, infinity
    best = int(np.flatnonzero(youden >= youden.max() - 1e-12)[0])  # thresholds fall
    lower = thresholds[1:][best]
    below = score[score < lower]
    return float((lower + below.max()) / 2) if len(below) else float(lower)


def sensitivity_at(label: np.ndarray, score: np.ndarray, threshold: float) -> float:
    """Share of the positives [N] with score >= threshold; NaN without positives."""
    positive = np.asarray(label) == 1
    return float((np.asarray(score)[positive] >= threshold).mean()) if positive.any() else float("nan")
