"""How often a specimen's class changes with the scanner, as the validation patients tell it of new ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scangen_bundle.measures import youden_threshold


@dataclass(frozen=True)
class FlipRate:
    """Pairs of scans of one specimen on two scanners, and how many of them get two classes.

    Attributes:
        flips: pairs with two classes.
        pairs: all pairs.
        patients: number of patients that the pairs are of.
    """

    flips: int
    pairs: int
    patients: int

    @property
    def value(self) -> float:
        """Flips by pairs; NaN without a pair."""
        return self.flips / self.pairs if self.pairs else math.nan

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Interval of the rate with each patient as one trial, whose pairs all flip or none; (NaN, NaN) without a pair.

        Clopper and Pearson (Biometrika 26, 1934), for a count that need not be whole (E. Korn, B. Graubard, Survey
        Methodology 24, 1998). A patient's pairs seldom all agree with each other, so it is too wide rather than too narrow.
        A bootstrap of few patients is far too narrow, and has no width where nothing flipped.
        """
        if not self.pairs:
            return math.nan, math.nan
        from scipy.stats import beta

        tail, count = (1 - confidence) / 2, self.value * self.patients
        low = float(beta.ppf(tail, count, self.patients - count + 1)) if self.flips else 0.0
        high = float(beta.ppf(1 - tail, count + 1, self.patients - count)) if self.flips < self.pairs else 1.0
        return low, high


def decide(probability: np.ndarray, threshold: float | None) -> np.ndarray:
    """Classes [N] of probabilities [N, C]: class 1 from the threshold on, or the largest probability."""
    if threshold is None:
        return probability.argmax(axis=1)
    return (probability[:, 1] >= threshold).astype(int)


def decide_left_out(
    probability: np.ndarray, label: np.ndarray, patient: np.ndarray, threshold: float | None
) -> np.ndarray:
    """Classes [N] of scans, each with the threshold that the other patients would have chosen.

    The threshold of largest Youden's J lies where few of the scans that chose it are near. Fewer of them flip than scans of
    new patients will, the more so the fewer patients chose it.

    Args:
        probability: [N, C].
        label: [N] int, -1 = unlabelled.
        patient: [N] ids.
        threshold: that all patients together chose; it stands in where the others are of one class. None: the largest
            probability wins, and nothing was chosen.
    """
    classes = decide(probability, threshold)
    if threshold is None:
        return classes
    for name in np.unique(patient):
        mine = patient == name
        others = ~mine & (label >= 0)
        chosen = youden_threshold(label[others], probability[others, 1]) if others.any() else math.nan
        if math.isfinite(chosen):
            classes[mine] = decide(probability[mine], chosen)
    return classes


def count_flips(
    classes: np.ndarray, patient: np.ndarray, specimen: np.ndarray, scanner: np.ndarray, name: str | None = None
) -> FlipRate:
    """Pairs of scans of one specimen on two scanners, and those whose classes differ.

    Args:
        classes: [N] int.
        patient, specimen, scanner: [N] ids.
        name: count pairs of which one scan is on this scanner; None counts all.
    """
    flips, pairs, patients = 0, 0, set()
    for which in np.unique(specimen):
        rows = np.flatnonzero(specimen == which)
        first, second = np.triu_indices(len(rows), 1)
        a, b = rows[first], rows[second]
        keep = scanner[a] != scanner[b]
        if name is not None:
            keep &= (scanner[a] == name) | (scanner[b] == name)
        flips += int((classes[a] != classes[b])[keep].sum())
        pairs += int(keep.sum())
        patients.update(patient[a[keep]].tolist())
    return FlipRate(flips, pairs, len(patients))
