"""Silhouettes: do tiles keep together by scanner, by specimen, by label?"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.feature_measure import UNPAIRED, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.measures.mean_of_ratios import MeanOfRatios
from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.neighbours import finite_unit_rows
from scangen_bundle.measures.points import Points
from scangen_bundle.statistics.bootstrap import ratio


@feature_measure(
    FeatureMeasure(
        "silhouette/scanner",
        "silhouette by scanner",
        "lower",
        "Do vectors of one scanner keep together?",
        baseline="0",
        group=UNPAIRED,
        position=20,
        of_embeddings=True,
    )
)
def by_scanner(features: FeatureViews) -> Measured:
    tiles = features.sampled_tiles
    return _measured("silhouette/scanner", tiles, tiles.scanner, "scanner")


@feature_measure(
    FeatureMeasure(
        "silhouette/tissue",
        "silhouette by specimen",
        "higher",
        "Do vectors of one specimen keep together?",
        baseline="0",
        group=UNPAIRED,
        position=21,
    )
)
def by_specimen(features: FeatureViews) -> Measured:
    tiles = features.sampled_tiles
    return _measured("silhouette/tissue", tiles, tiles.specimen, "specimen")


@feature_measure(
    FeatureMeasure(
        "silhouette/label",
        "silhouette by label",
        "higher",
        "Do vectors of one label keep together?",
        baseline="0",
        group=UNPAIRED,
        position=22,
        of_embeddings=True,
    )
)
def by_label(features: FeatureViews) -> Measured:
    tiles = features.sampled_tiles.drop_unlabelled()
    return _measured("silhouette/label", tiles, tiles.label, "label")


def _measured(key: str, points: Points, cluster: np.ndarray, noun: str) -> Measured:
    sizes = np.unique(cluster, return_counts=True)[1]
    if len(sizes) < 2:
        raise UndefinedMeasure(f"one {noun} only" if len(sizes) else "no labels")
    if sizes.max() < 2:
        raise UndefinedMeasure(f"each is the only one of its {noun}: there is nothing to keep together")
    values = silhouette_values(points.values, cluster)
    statistic = MeanOfRatios(key, values, np.ones(len(values)), points.patient, points.patients)
    return Measured([statistic], points.patients, rows=len(points), baselines={key: 0.0})


def silhouette_values(embeddings: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Silhouette [N] of each embedding [N, E] with cosine distance for clusters [N]; 0 alone in its cluster.

    s = (b - a) / max(a, b), a the mean distance to the own cluster's others, b the least mean distance to another cluster
    (P. Rousseeuw, J. Comput. Appl. Math. 20, 1987). The mean cosine distance to a cluster is 1 minus the product with the
    cluster's mean, so no N x N matrix is needed.

    Raises:
        ValueError: one cluster only.
    """
    names, cluster = np.unique(cluster, return_inverse=True)
    if len(names) < 2:
        raise ValueError("a silhouette needs at least two clusters")
    unit = finite_unit_rows(embeddings).astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-300)
    sizes = np.bincount(cluster)
    sums = np.stack([unit[cluster == c].sum(axis=0) for c in range(len(names))])
    similarity = unit @ sums.T  # [N, clusters]
    rows = np.arange(len(unit))
    distance = 1 - similarity / sizes
    size = sizes[cluster]
    inside = ratio(size - similarity[rows, cluster], size - 1)  # the scan itself is at distance 0 and in both terms
    distance[rows, cluster] = np.inf
    nearest = distance.min(axis=1)
    values = ratio(nearest - inside, np.maximum(inside, nearest))
    return np.where(size > 1, np.nan_to_num(values), 0.0)
