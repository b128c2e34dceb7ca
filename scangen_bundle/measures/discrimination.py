"""How well scores tell the classes apart, per scanner, under any weighting of the patients.

AUROC is the share of (positive, negative) pairs in the right order, ties counting half (J. Hanley, B. McNeil, Radiology
143, 1982). Average precision is the sum over thresholds of the gain in recall times the precision there, without
interpolation. With more than two classes each figure is the unweighted mean over the classes, each against the rest.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from scangen_bundle.measures.predictions import UNLABELLED, Predictions
from scangen_bundle.statistics.aggregate import OverScanners
from scangen_bundle.statistics.bootstrap import patient_sums, ratio
from scangen_bundle.statistics.exact import disjoint_pairs

RANKED = ("auroc", "average_precision")
DECIDED = ("balanced_accuracy", "sensitivity", "specificity")
FIGURES = RANKED + DECIDED


class Ranking:
    """Scans sorted by score once, for rank figures under many weightings.

    Args:
        positive: [n] bool.
        score: [n] float.
        patient: [n] int64 column of each scan in the weights; None: each scan has its own.
    """

    def __init__(self, positive: np.ndarray, score: np.ndarray, patient: np.ndarray | None = None) -> None:
        positive, score = np.asarray(positive, dtype=bool), np.asarray(score, dtype=np.float64)
        patient = np.arange(len(score)) if patient is None else np.asarray(patient)
        order = np.argsort(score, kind="stable")
        positive, score, patient = positive[order], score[order], patient[order]
        self._negative_patient, self._positive_patient = patient[~positive], patient[positive]
        negatives, self.positives = score[~positive], score[positive]
        self._below = np.searchsorted(negatives, self.positives, "left")
        self._not_above = np.searchsorted(negatives, self.positives, "right")
        self._first = np.searchsorted(self.positives, self.positives, "left")
        self._positive_ties = bool((self._first != np.arange(len(self._first))).any())
        self._ties = bool((self._below != self._not_above).any())
        self.defined = bool(len(negatives) and len(self.positives))

    def figures(self, weights: np.ndarray, wanted: Collection[str] = RANKED) -> dict[str, np.ndarray]:
        """AUROC and average precision [R] for integer weights [R, P]; NaN where one class has no weight."""
        negative = _running_total(weights, self._negative_patient)
        positive = np.take(weights, self._positive_patient, axis=1)
        total_negative, total_positive = negative[:, -1].astype(np.float64), positive.sum(axis=1, dtype=np.float64)
        below = np.take(negative, self._below, axis=1)
        figures = {}
        if "auroc" in wanted:
            twice = below + np.take(negative, self._not_above, axis=1) if self._ties else 2 * below
            right = np.einsum("rn,rn->r", positive, twice, dtype=np.float64) / 2
            figures["auroc"] = ratio(right, total_negative * total_positive)
        if "average_precision" in wanted:
            before = _running_total(weights, self._positive_patient)
            true = (self._at_or_above(before)).astype(np.float64)
            flagged = true + (negative[:, -1:] - below)
            precision = np.divide(true, flagged, out=np.zeros_like(true), where=flagged > 0)
            precision_sum = np.einsum("rn,rn->r", positive, precision)
            figures["average_precision"] = ratio(precision_sum, np.where(total_negative > 0, total_positive, 0))
        return figures

    def threshold_at_sensitivity(self, weights: np.ndarray, sensitivity: float) -> np.ndarray:
        """[R] the highest threshold (score >= threshold is positive) that keeps at least `sensitivity`, for weights [R, P]."""
        if not len(self.positives):
            return np.full(len(weights), np.nan)
        before = _running_total(weights, self._positive_patient)
        total = before[:, -1:]
        kept = self._at_or_above(before)
        enough = (kept >= sensitivity * total - 1e-9).sum(axis=1)
        return np.where(total[:, 0] > 0, self.positives[np.maximum(enough - 1, 0)], np.nan)

    def _at_or_above(self, before: np.ndarray) -> np.ndarray:
        """[R, n1] weight of the positives whose score is at least each one's, from their running total [R, n1 + 1]."""
        below = np.take(before, self._first, axis=1) if self._positive_ties else before[:, :-1]
        return before[:, -1:] - below


def _running_total(weights: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """[R, n + 1] int32 or wider: sum of the weights of the first k scans."""
    total = np.zeros((len(weights), len(patient) + 1), dtype=weights.dtype)
    np.cumsum(np.take(weights, patient, axis=1), axis=1, out=total[:, 1:], dtype=weights.dtype)
    return total


def auroc(label: np.ndarray, score: np.ndarray) -> float:
    """AUROC of scores [N] for labels [N] in {0, 1}; NaN where one class is absent."""
    return float(Ranking(np.asarray(label) == 1, score).figures(_ones(label), ("auroc",))["auroc"][0])


def average_precision(label: np.ndarray, score: np.ndarray) -> float:
    """Average precision of scores [N] for labels [N] in {0, 1}; NaN where one class is absent."""
    figures = Ranking(np.asarray(label) == 1, score).figures(_ones(label), ("average_precision",))
    return float(figures["average_precision"][0])


def _ones(label: np.ndarray) -> np.ndarray:
    return np.ones((1, len(label)), dtype=np.int32)


def youden_threshold(label: np.ndarray, score: np.ndarray) -> float:
    """The threshold (score >= threshold is positive) with the largest sensitivity + specificity, the highest on a draw.

    It lies midway between two neighbouring scores, so that rounding does not flip a scan. NaN where one class is absent
    (W. Youden, Cancer 3, 1950). Choose it on validation patients, never on test.
    """
    positive, score = np.asarray(label) == 1, np.asarray(score, dtype=np.float64)
    if positive.all() or not positive.any():
        return float("nan")
    values, inverse = np.unique(score, return_inverse=True)
    positives = np.bincount(inverse, weights=positive, minlength=len(values))
    negatives = np.bincount(inverse, weights=~positive, minlength=len(values))
    sensitivity = positives[::-1].cumsum()[::-1] / positives.sum()
    specificity = 1 - negatives[::-1].cumsum()[::-1] / negatives.sum()
    youden = sensitivity + specificity
    best = int(np.flatnonzero(youden >= youden.max() - 1e-12)[-1])
    return float(values[best] if best == 0 else (values[best - 1] + values[best]) / 2)


def sensitivity_at(label: np.ndarray, score: np.ndarray, threshold: float) -> float:
    """Share of the positives [N] with score >= threshold; NaN without positives."""
    positive = np.asarray(label) == 1
    return float((np.asarray(score)[positive] >= threshold).mean()) if positive.any() else float("nan")


class Discrimination:
    """Discrimination of each scanner and its mean, worst and range, as a statistic of patient weights.

    Keys: `<figure>/<scanner>`, `<figure>/mean`, `/worst`, `/range`, for `auroc`, `average_precision`,
    `balanced_accuracy`, `sensitivity`, `specificity`. The last three are at the threshold (two classes), or of the most
    probable class, macro over classes (more). Unlabelled scans do not count.

    Args:
        predictions: the scans.
        threshold: of the probability of class 1.
        unseen: scanners not trained on; the mean is then also given over seen and unseen ones.
        wanted: figures to compute.
    """

    def __init__(
        self,
        predictions: Predictions,
        threshold: float,
        unseen: Collection[str] = (),
        wanted: Collection[str] = FIGURES,
    ) -> None:
        self.scanners = predictions.scanners
        self.wanted = tuple(name for name in FIGURES if name in wanted)
        self.reasons: dict[str, str] = {}
        self.trials: dict[str, int] = {}
        self._classes = [1] if predictions.classes == 2 else list(range(predictions.classes))
        self._rankings: dict[str, list[Ranking]] = {}
        predicted = predictions.predicted(threshold)
        cells = []
        for index, scanner in enumerate(self.scanners):
            rows = np.flatnonzero((predictions.scanner == index) & (predictions.label != UNLABELLED))
            label, patient = predictions.label[rows], predictions.patient[rows]
            self._rankings[scanner] = [
                Ranking(label == c, predictions.probability[rows, c], patient) for c in self._classes
            ]
            self._note_reasons(scanner, np.bincount(label, minlength=predictions.classes))
            self._count_trials(scanner, label, patient, len(predictions.patients))
            for c in self._classes:
                truth, guess = label == c, predicted[rows] == c
                values = np.stack([truth & guess, truth, ~truth & ~guess, ~truth], axis=1).astype(np.float64)
                cells.append(patient_sums(values, patient, len(predictions.patients)))
        self._cells = np.concatenate(cells, axis=1)
        self.aggregates = [
            OverScanners(name, self.scanners, self.reasons, unseen, worst="lowest") for name in self.wanted
        ]
        for aggregate in self.aggregates:
            self.reasons.update(aggregate.reasons)
            self.trials.update(aggregate.trials(self.trials))

    def _count_trials(self, scanner: str, label: np.ndarray, patient: np.ndarray, patients: int) -> None:
        """Patients, or pairs of them, that the figures at 0 or 1 stand on; of several classes the one with the fewest."""
        found: dict[str, list[int]] = {"auroc": [], "sensitivity": [], "specificity": [], "balanced_accuracy": []}
        for c in self._classes:
            positive, negative = (
                np.bincount(patient[rows], minlength=patients) > 0 for rows in (label == c, label != c)
            )
            pairs = disjoint_pairs(positive, negative)
            found["auroc"].append(pairs)
            found["sensitivity"].append(int(positive.sum()))
            found["specificity"].append(int(negative.sum()))
            found["balanced_accuracy"].append(pairs if len(self._classes) == 1 else int(positive.sum()))
        self.trials.update({f"{name}/{scanner}": min(n) for name, n in found.items() if name in self.wanted})

    def _note_reasons(self, scanner: str, counts: np.ndarray) -> None:
        if not counts.sum():
            reason = "no labelled scan"
        elif (counts > 0).sum() == 1:
            reason = f"all labelled scans are of class {int(counts.argmax())}"
        elif not counts.all():
            reason = f"no scan of class {int(counts.argmin())}"
        else:
            return
        for name in self.wanted:
            has_figure = len(counts) == 2 and (
                (name == "sensitivity" and counts[1]) or (name == "specificity" and counts[0])
            )
            if not has_figure:
                self.reasons[f"{name}/{scanner}"] = f"{reason} on scanner {scanner}"

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Figures [R] by key for integer weights [R, P]."""
        cells = (weights @ self._cells).reshape(len(weights), len(self.scanners), len(self._classes), 4)
        sensitivity = ratio(cells[..., 0], cells[..., 1]).mean(axis=2)
        specificity = ratio(cells[..., 2], cells[..., 3]).mean(axis=2)
        decided = {
            # For two classes the mean of both rates, for more the mean recall, which is the macro sensitivity.
            "balanced_accuracy": (sensitivity + specificity) / 2 if len(self._classes) == 1 else sensitivity,
            "sensitivity": sensitivity,
            "specificity": specificity,
        }
        figures: dict[str, np.ndarray] = {}
        ranked = [name for name in RANKED if name in self.wanted]
        for index, scanner in enumerate(self.scanners):
            if ranked:
                per_class = [ranking.figures(weights, ranked) for ranking in self._rankings[scanner]]
                for name in ranked:
                    figures[f"{name}/{scanner}"] = np.mean([values[name] for values in per_class], axis=0)
            for name in DECIDED:
                if name in self.wanted:
                    figures[f"{name}/{scanner}"] = decided[name][:, index]
        for aggregate in self.aggregates:
            figures.update(aggregate(figures))
        return figures
