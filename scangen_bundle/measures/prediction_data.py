"""Predictions arranged for measures: the scans of each scanner, specimens over scanners, pairs of scanners.

With more than two classes each class is taken against the rest, and a measure is the mean over the classes.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from scipy.special import logit

from scangen_bundle.measures.predictions import UNLABELLED, Predictions
from scangen_bundle.measures.ranking import Ranking, WeightedRanking
from scangen_bundle.measures.specimen_spread import score_table, specimen_flips, specimen_spread
from scangen_bundle.measures.weighted_sums import Sums, WeightedSums

MOST_PAIRS = 66  # of scanners, that is 12 scanners; of more pairs only `WORST_PAIRS` have values of their own
WORST_PAIRS = 20
LOGIT_CLIP = 1e-6  # probabilities are clipped to this and 1 minus this for their logit


@dataclass(frozen=True)
class Scans:
    """The labelled scans of one scanner, one class against the rest.

    Attributes:
        scanner: its name.
        index: of the class.
        classes: number of classes.
        label: [n] int64 class of each scan.
        probability: [n] of the class.
        predicted: [n] bool, whether the class is predicted.
        patient: [n] int64.
        threshold: of the probability of class 1.
        validation_sensitivity: what the threshold had on validation; None: not given.
    """

    scanner: str
    index: int
    classes: int
    label: np.ndarray
    probability: np.ndarray
    predicted: np.ndarray
    patient: np.ndarray
    threshold: float
    validation_sensitivity: float | None

    @property
    def place(self) -> Hashable:
        return "scanner", self.scanner, self.index

    def __len__(self) -> int:
        return len(self.label)

    @cached_property
    def positive(self) -> np.ndarray:
        """[n] bool, whether the scan is of the class."""
        return self.label == self.index

    @cached_property
    def ranking(self) -> Ranking:
        return Ranking(self.positive, self.probability, self.patient)

    def ranked(self, sums: Sums) -> WeightedRanking:
        """The scans in order of their scores, under the weights of `sums`."""
        return sums.shared("ranking", lambda: self.ranking.weighted(sums.weights))

    def patients_of(self, rows: np.ndarray) -> np.ndarray:
        """Patients of the scans marked in `rows` [n], each once."""
        return np.unique(self.patient[rows])

    def missing_class(self) -> str:
        """Why classes cannot be told apart here; "" where every class occurs."""
        counts = np.bincount(self.label, minlength=self.classes)
        if (counts > 0).sum() == 1:
            return f"all labelled scans are of class {int(counts.argmax())}"
        return "" if counts.all() else f"no scan of class {int(counts.argmin())}"


@dataclass(frozen=True)
class Specimens:
    """Specimens over their scanners; several scans of a specimen on one scanner count as their mean.

    Attributes:
        scanners: names [S].
        index: of the class whose scores these are.
        classes: number of classes.
        scores: [M, S] probability of the class, NaN where there is no scan.
        logits: [M, S] log-odds of the class.
        predicted: [M, S] class of the mean probabilities, NaN where there is no scan.
        patient: [M] int64.
    """

    scanners: Sequence[str]
    index: int
    classes: int
    scores: np.ndarray
    logits: np.ndarray
    predicted: np.ndarray
    patient: np.ndarray

    @cached_property
    def count(self) -> np.ndarray:
        """[M] scanners that have the specimen."""
        return np.isfinite(self.scores).sum(axis=1)

    @cached_property
    def several(self) -> np.ndarray:
        """[M] bool, specimens on at least two scanners."""
        return self.count >= 2

    @cached_property
    def complete(self) -> np.ndarray:
        """[M] bool, specimens on every scanner; none where there is one scanner."""
        return (self.count == len(self.scanners)) & self.several

    @cached_property
    def spread(self) -> dict[str, np.ndarray]:
        """See `specimen_spread`, of the scores."""
        return specimen_spread(self.scores)

    @cached_property
    def flips(self) -> np.ndarray:
        """See `specimen_flips`."""
        return specimen_flips(self.predicted)

    @cached_property
    def votes(self) -> np.ndarray:
        """[M, C] scanners that give the specimen each class."""
        return (self.predicted[:, :, None] == np.arange(self.classes)).sum(axis=1)


@dataclass(frozen=True)
class Pair:
    """The specimens that two scanners both have.

    Attributes:
        first, second: names of the scanners.
        index: of the class whose scores these are.
        classes: number of classes.
        x, y: [n] scores on the first and the second scanner.
        class_x, class_y: [n] predicted classes.
        patient: [n] int64.
    """

    first: str
    second: str
    index: int
    classes: int
    x: np.ndarray
    y: np.ndarray
    class_x: np.ndarray
    class_y: np.ndarray
    patient: np.ndarray

    @property
    def place(self) -> Hashable:
        return "pair", self.first, self.second, self.index

    @cached_property
    def centre(self) -> float:
        """A value inside the scores: sums of squares about it keep their digits."""
        return float(self.x.sum() + self.y.sum()) / (2 * len(self.x)) if len(self.x) else 0.0

    @cached_property
    def shift(self) -> float:
        """Mean difference of the scores, for the same reason."""
        return float(np.mean(self.x - self.y)) if len(self.x) else 0.0


class PredictionData:
    """Predictions as measures need them.

    Args:
        predictions: the scans.
        threshold: of the probability of class 1; with more than two classes the most probable class is predicted.
        validation_sensitivity: what the threshold had on validation; None: not given.
        unseen: scanners that the network was not trained on.
        pairs: pairs of scanners that have values of their own; None: all of them, or the worst ones of very many.

    Attributes:
        sums: the columns that the measures share.
        scans: by scanner, the scans of each scored class.
        specimens: of each scored class.
        pairs: by pair of scanners, the specimens of each scored class.
        pair_count: number of pairs that there are.
    """

    def __init__(
        self,
        predictions: Predictions,
        threshold: float,
        validation_sensitivity: float | None = None,
        unseen: Collection[str] = (),
        pairs: Sequence[tuple[str, str]] | None = None,
    ) -> None:
        self.predictions, self.threshold = predictions, threshold
        self.validation_sensitivity, self.unseen = validation_sensitivity, unseen
        self.scanners = predictions.scanners
        self.scored = [1] if predictions.classes == 2 else list(range(predictions.classes))
        self.sums = WeightedSums(len(predictions.patients))
        self._chosen_pairs = pairs

    @cached_property
    def scans(self) -> dict[str, list[Scans]]:
        predicted = self.predictions.predicted(self.threshold)
        labelled = self.predictions.label != UNLABELLED
        scans = {}
        for number, scanner in enumerate(self.scanners):
            rows = np.flatnonzero((self.predictions.scanner == number) & labelled)
            scans[scanner] = [self._scans_of(scanner, rows, predicted, index) for index in self.scored]
        return scans

    def _scans_of(self, scanner: str, rows: np.ndarray, predicted: np.ndarray, index: int) -> Scans:
        return Scans(
            scanner,
            index,
            self.predictions.classes,
            self.predictions.label[rows],
            self.predictions.probability[rows, index],
            predicted[rows] == index,
            self.predictions.patient[rows],
            self.threshold,
            self.validation_sensitivity,
        )

    @cached_property
    def specimens(self) -> list[Specimens]:
        p = self.predictions
        scores = {index: self._table(p.probability[:, index]) for index in self.scored}
        predicted = self._predicted(scores)
        specimens = []
        for index, table in scores.items():
            clipped = np.clip(p.probability[:, index], LOGIT_CLIP, 1 - LOGIT_CLIP)
            logits = self._table(logit(clipped))
            specimens.append(Specimens(self.scanners, index, p.classes, table, logits, predicted, p.specimen_patient))
        return specimens

    def _table(self, score: np.ndarray) -> np.ndarray:
        shape = len(self.predictions.specimens), len(self.scanners)
        return score_table(self.predictions.specimen, self.predictions.scanner, score, shape)

    def _predicted(self, scores: dict[int, np.ndarray]) -> np.ndarray:
        """[M, S] class of each specimen on each scanner, NaN where there is no scan."""
        there = np.isfinite(next(iter(scores.values())))
        if self.predictions.classes == 2:
            return np.where(there, scores[1] >= self.threshold, np.nan)
        stacked = np.stack([np.nan_to_num(table, nan=-1.0) for table in scores.values()])
        return np.where(there, stacked.argmax(axis=0), np.nan)

    @property
    def pair_count(self) -> int:
        return len(self.scanners) * (len(self.scanners) - 1) // 2

    @cached_property
    def pairs(self) -> dict[tuple[str, str], list[Pair]]:
        """The pairs that have values of their own."""
        names = self._chosen_pairs
        if names is None:
            every = combinations(self.scanners, 2)
            names = list(every) if self.pair_count <= MOST_PAIRS else self._worst_pairs()
        place = {scanner: number for number, scanner in enumerate(self.scanners)}
        return {(a, b): self._pair(place[a], place[b]) for a, b in names}

    @cached_property
    def every_pair(self) -> list[list[Pair]]:
        """All pairs, also where they are very many."""
        return [self._pair(a, b) for a, b in combinations(range(len(self.scanners)), 2)]

    def _pair(self, a: int, b: int) -> list[Pair]:
        of_classes = []
        for specimens in self.specimens:
            x, y = specimens.scores[:, a], specimens.scores[:, b]
            rows = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
            classes = specimens.predicted[rows, a], specimens.predicted[rows, b]
            patient = specimens.patient[rows]
            names = self.scanners[a], self.scanners[b]
            of_classes.append(Pair(*names, specimens.index, specimens.classes, x[rows], y[rows], *classes, patient))
        return of_classes

    def _worst_pairs(self) -> list[tuple[str, str]]:
        """The pairs whose scores differ most on average, in the scanners' order."""
        total = np.zeros((len(self.scanners), len(self.scanners)))
        for specimens in self.specimens:
            scores, there = np.nan_to_num(specimens.scores), np.isfinite(specimens.scores)
            for a in range(len(self.scanners)):
                both = there & there[:, [a]]
                difference = np.abs(scores - scores[:, [a]]) * both
                total[a] += difference.sum(axis=0) / np.maximum(both.sum(axis=0), 1)
        first, second = np.triu_indices(len(self.scanners), 1)
        worst = np.sort(np.argsort(-total[first, second], kind="stable")[:WORST_PAIRS])
        return [(self.scanners[first[i]], self.scanners[second[i]]) for i in worst]
