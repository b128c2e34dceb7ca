"""Cosine of the same tissue on two scanners, and how far it is above that of different tissue on one scanner.

Where all tissue looks alike the cosine is near 1 and says nothing; the gap is then 0.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from scangen_bundle.measures.feature_measure import PAIRED, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews, Places
from scangen_bundle.measures.paired_features import paired_cosine
from scangen_bundle.statistics.bootstrap import patient_sums, ratio

SAME, OTHER, GAP = "cosine/same_tissue", "cosine/other_tissue", "cosine/gap"


@feature_measure(
    FeatureMeasure(
        SAME,
        "cosine, same tissue",
        "",
        "Cosine of the same place on two scanners.",
        baseline="different tissue on one scanner",
        group=PAIRED,
        position=10,
        heatmap=True,
    ),
    FeatureMeasure(
        GAP,
        "cosine gap",
        "higher",
        "Cosine of the same tissue on two scanners minus that of different tissue on one.",
        baseline="0",
        group=PAIRED,
        position=11,
        overview=1,
    ),
)
def cosine(features: FeatureViews) -> Measured:
    places = features.places
    statistic = CosineGap(places.unit, places.patient)
    other_tissue = statistic(np.ones((1, places.patients), dtype=np.int32))[OTHER][0]
    names = places.pair_names
    return Measured(
        [statistic],
        places.patients,
        rows=len(places),
        baselines={SAME: float(other_tissue), GAP: 0.0},
        pairs={SAME: {names[pair]: value for pair, value in pair_cosines(places).items()}},
    )


def pair_cosines(places: Places) -> dict[tuple[int, int], float]:
    """Mean cosine of the same place on each pair of scanners."""
    means = {}
    for a, b in places.pair_names:
        cosines = paired_cosine(places.unit[:, a], places.unit[:, b])
        means[a, b] = float(cosines.mean())
    return means


class CosineGap:
    """Cosine of the same tissue on two scanners, of different tissue on one scanner, and the difference.

    A statistic of patients' weights. Different tissue means two places, of one specimen or of two; a patient who was drawn
    twice is not paired with itself.

    Args:
        unit: [P, S, D] unit vectors.
        patient: [P] int64 from 0.
    """

    def __init__(self, unit: np.ndarray, patient: np.ndarray) -> None:
        self._patients = int(patient.max()) + 1
        scanners = unit.shape[1]
        pairs = combinations(range(scanners), 2)
        cosines = np.stack([paired_cosine(unit[:, a], unit[:, b]) for a, b in pairs], axis=1)
        self._places = np.bincount(patient, minlength=self._patients).astype(np.float64)
        self._same = self._sums(cosines.mean(axis=1), patient)
        self._grams, self._squares = [], []
        for scanner in range(scanners):
            sums = np.zeros((self._patients, unit.shape[2]))
            np.add.at(sums, patient, unit[:, scanner])
            self._grams.append(sums @ sums.T)
            squares = np.einsum("pd,pd->p", unit[:, scanner], unit[:, scanner], dtype=np.float64)
            self._squares.append(self._sums(squares, patient))
        self.reasons = dict.fromkeys((OTHER, GAP), "one place only") if len(patient) < 2 else {}

    def _sums(self, values: np.ndarray, patient: np.ndarray) -> np.ndarray:
        return patient_sums(values[:, None], patient, self._patients)[:, 0]

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        places = self._places
        same = ratio(weights @ self._same, weights @ places)
        pairs_of_patients = (weights @ places) ** 2 - weights**2 @ places**2
        pairs = pairs_of_patients + weights @ (places**2 - places)
        cosines = []
        for gram, squares in zip(self._grams, self._squares, strict=True):
            of_two_patients = np.einsum("ru,ru->r", weights @ gram, weights) - weights**2 @ np.diag(gram)
            of_one_patient = weights @ (np.diag(gram) - squares)
            cosines.append(ratio(of_two_patients + of_one_patient, pairs))
        different = np.mean(cosines, axis=0)
        return {SAME: same, OTHER: different, GAP: same - different}
