"""LTM10: the mean robustness index of the worst tenth of scans, which the index of all of them hides.

A scan's own index is SO / (SO + OS) of its neighbours; the worst tenth are those at or below the tenth percentile
(croma's lower-tail mean, github.com/clemsgrs/croma).
"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.feature_measure import AT, UNPAIRED, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.measures.neighbours import NeighbourCounts

KEY = "robustness_ltm10"
TAIL = 0.1


@feature_measure(
    FeatureMeasure(
        KEY,
        "robustness index: worst tenth",
        "higher",
        "Mean robustness index of the tenth of scans whose own index is lowest.",
        group=UNPAIRED,
        position=54,
        by="k",
    )
)
def worst_tenth(features: FeatureViews) -> Measured:
    neighbours = features.neighbours
    points = neighbours.points
    statistics = []
    for k, counts in neighbours.counts.items():
        statistics.append(LowerTailMean(f"{KEY}{AT}{k}", counts, points.patient))
    return Measured(statistics, points.patients, rows=len(points))


class LowerTailMean:
    """Mean of the scans' own indices that are at or below the tenth percentile; a statistic of patients' weights.

    Args:
        key: of the value.
        counts: of the neighbours; scans without an index are left out.
        patient: [N] int64 from 0.
    """

    def __init__(self, key: str, counts: NeighbourCounts, patient: np.ndarray) -> None:
        either = counts.so + counts.os
        defined = np.flatnonzero(either > 0)
        values = counts.so[defined] / either[defined]
        order = np.argsort(values, kind="stable")
        self.key, self._values, self._patient = key, values[order], patient[defined][order]
        self.reasons = {} if len(values) else {key: "no scan enters the robustness index"}

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        return {self.key: np.array([self._tail_mean(row[self._patient]) for row in weights])}

    def _tail_mean(self, times: np.ndarray) -> float:
        """Of the sorted values, each repeated `times`; NaN where none is."""
        ends = np.cumsum(times)
        if not len(ends) or not ends[-1]:
            return float("nan")
        highest = ends[-1] - 1
        position = TAIL * highest
        below = int(position)
        rows = np.searchsorted(ends, [below, min(below + 1, highest)], side="right")
        first, second = self._values[rows]
        percentile = first + (second - first) * (position - below)
        last = np.searchsorted(self._values, percentile, side="right")
        return float(np.average(self._values[:last], weights=times[:last]))
