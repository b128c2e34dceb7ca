"""Support of the robustness index: the share of scans that it speaks for.

A scan whose neighbours all share both label and scanner with it, or neither, has no part in the index (croma reports the same
share, github.com/clemsgrs/croma).
"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.feature_measure import AT, UNPAIRED, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.measures.mean_of_ratios import MeanOfRatios

KEY = "robustness_support"


@feature_measure(
    FeatureMeasure(
        KEY,
        "robustness index: support",
        "",
        "Share of scans with a neighbour that shares label or scanner but not both: the index speaks for these only.",
        group=UNPAIRED,
        position=53,
        by="k",
    )
)
def support(features: FeatureViews) -> Measured:
    neighbours = features.neighbours
    points = neighbours.points
    statistics, ones = [], np.ones(len(points))
    for k, counts in neighbours.counts.items():
        defined = counts.so + counts.os > 0
        key = f"{KEY}{AT}{k}"
        statistics.append(MeanOfRatios(key, defined, ones, points.patient, points.patients, share=True))
    return Measured(statistics, points.patients, rows=len(points))
