"""PathoROB's generalisation index: how right are neighbours of other scanners, relative to those of the own scanner?

J. Kömen et al., "Towards robust foundation models for digital pathology", 2025; github.com/bifold-pathomics/PathoROB.
"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.feature_measure import AT, UNPAIRED, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.measures.neighbours import NeighbourCounts
from scangen_bundle.statistics.bootstrap import patient_sums, ratio

KEY = "generalisation_index"


@feature_measure(
    FeatureMeasure(
        KEY,
        "generalisation index",
        "higher",
        "How right other scanners' neighbours are, relative to the own scanner's (PathoROB).",
        baseline="neighbours drawn at random",
        group=UNPAIRED,
        position=51,
        by="k",
    )
)
def generalisation(features: FeatureViews) -> Measured:
    neighbours = features.neighbours
    points = neighbours.points
    statistics = []
    for k, counts in neighbours.counts.items():
        statistics.append(Generalisation(f"{KEY}{AT}{k}", counts, points.patient, points.patients))
    baselines = {KEY: generalisation_index(neighbours.random_counts())}
    return Measured(statistics, points.patients, rows=len(points), baselines=baselines)


def generalisation_index(counts: NeighbourCounts) -> float:
    """(SS SO + SO OS) / (SS SO + SS OO) of the summed counts; NaN where the denominator is 0.

    This is the share of same-label neighbours among those of other scanners, SO / (SO + OO), over the same share among those
    of the own scanner, SS / (SS + OS): 1 where a neighbour from another scanner is worth as much as one from the own.
    """
    ss, so, os, oo = (float(count.sum()) for count in (counts.ss, counts.so, counts.os, counts.oo))
    below = ss * so + ss * oo
    return (ss * so + so * os) / below if below > 0 else float("nan")


class Generalisation:
    """The generalisation index as a statistic of patients' weights.

    Args:
        key: of the value.
        counts: of the neighbours.
        patient: [N] int64 from 0.
        patients: P.
    """

    def __init__(self, key: str, counts: NeighbourCounts, patient: np.ndarray, patients: int) -> None:
        parts = np.stack([counts.ss, counts.so, counts.os, counts.oo], axis=1).astype(np.float64)
        self._key, self._sums = key, patient_sums(parts, patient, patients)
        self.reasons = {}
        if not np.isfinite(generalisation_index(counts)):
            self.reasons[key] = "no neighbour shares label and scanner, or none is of another scanner"

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        ss, so, os, oo = (weights @ self._sums).T
        return {self._key: ratio(ss * so + so * os, ss * so + ss * oo)}
