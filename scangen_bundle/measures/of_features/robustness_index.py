"""PathoROB's robustness index with the scanner as confounder: do neighbours follow the label or the scanner?

J. Kömen et al., "Towards robust foundation models for digital pathology", 2025; github.com/bifold-pathomics/PathoROB.
"""

from __future__ import annotations

from scangen_bundle.measures.feature_measure import AT, UNPAIRED, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.measures.mean_of_ratios import MeanOfRatios
from scangen_bundle.measures.neighbours import NeighbourCounts

KEY = "robustness_index"


@feature_measure(
    FeatureMeasure(
        KEY,
        "robustness index",
        "higher",
        "Of neighbours that share label or scanner but not both, the share that shares the label (PathoROB).",
        baseline="neighbours drawn at random",
        group=UNPAIRED,
        position=50,
        by="k",
        overview=5,
        scatter="robustness",
        of_embeddings=True,
    )
)
def robustness(features: FeatureViews) -> Measured:
    neighbours = features.neighbours
    points = neighbours.points
    statistics = []
    for k, counts in neighbours.counts.items():
        either = counts.so + counts.os
        key = f"{KEY}{AT}{k}"
        statistics.append(MeanOfRatios(key, counts.so, either, points.patient, points.patients, share=True))
    baselines = {KEY: robustness_index(neighbours.random_counts())}
    return Measured(statistics, points.patients, rows=len(points), baselines=baselines)


def robustness_index(counts: NeighbourCounts) -> float:
    """PathoROB's robustness index with the scanner as confounder: sum SO / (sum SO + sum OS); NaN where both are 0.

    1: neighbours follow the label, 0: the scanner. What random neighbours give is the index of `all_other_counts`.
    J. Kömen et al., "Towards robust foundation models for digital pathology", 2025; github.com/bifold-pathomics/PathoROB.
    """
    so, os = float(counts.so.sum()), float(counts.os.sum())
    return so / (so + os) if so + os > 0 else float("nan")
