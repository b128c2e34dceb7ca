"""PathoROB's clustering score: do clusters follow the label or the scanner?

Clusters are those of the observed data; patients are resampled. J. Kömen et al., "Towards robust foundation models for
digital pathology", 2025; github.com/bifold-pathomics/PathoROB.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from scangen_bundle.measures.feature_measure import UNPAIRED, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.neighbours import finite_unit_rows
from scangen_bundle.measures.points import Points
from scangen_bundle.statistics.bootstrap import patient_sums, ratio

KEY = "clustering_score"
# PathoROB has 30 and 50, on some thousands of patches; a cell here has some dozens of scans.
MOST_CLUSTERS, REPEATS = 10, 10
FEW_ROWS = 2000


@feature_measure(
    FeatureMeasure(
        KEY,
        "clustering score",
        "higher",
        "Rand index of clusters with the label minus that with the scanner (PathoROB).",
        baseline="0",
        group=UNPAIRED,
        position=52,
    )
)
def clustering_score(features: FeatureViews) -> Measured:
    scans = features.scans.drop_unlabelled()
    if len(np.unique(scans.label)) < 2 or scans.scanners < 2:
        raise UndefinedMeasure("it needs two labels and two scanners")
    cells = full_cells(scans.label, scans.scanner)
    if not cells:
        raise UndefinedMeasure("no two labels and two scanners have scans of every combination")
    assigned = []
    for rows in cells:
        clusters, _ = clusterings(scans.values[rows], MOST_CLUSTERS, REPEATS, features.seed)
        assigned.append(clusters)
    return Measured(
        [ClusteringScore(scans, cells, assigned)],
        scans.patients,
        rows=len(scans),
        baselines={KEY: 0.0},
        notes={KEY: f"{len(cells)} cells of two labels and two scanners"},
    )


class ClusteringScore:
    """Mean over cells and clusterings of the adjusted Rand index with the label minus that with the scanner.

    A statistic of patients' weights; a patient that is drawn twice counts as two.

    Args:
        scans: labelled scans.
        cells: rows of each cell of two labels and two scanners.
        assigned: clusters [repeats, rows] of each cell.
    """

    def __init__(self, scans: Points, cells: list[np.ndarray], assigned: list[np.ndarray]) -> None:
        self._tables: list[tuple[np.ndarray, np.ndarray]] = []
        self.reasons: dict[str, str] = {}
        for rows, clusterings_of_cell in zip(cells, assigned, strict=True):
            cell = scans[rows]
            for clusters in clusterings_of_cell:
                self._tables.append((_counts(clusters, cell.label, cell), _counts(clusters, cell.scanner, cell)))

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        scores = []
        for by_label, by_scanner in self._tables:
            with_label = adjusted_rand(_weighted(by_label, weights))
            scores.append(with_label - adjusted_rand(_weighted(by_scanner, weights)))
        return {KEY: np.mean(scores, axis=0)}


def _counts(clusters: np.ndarray, names: np.ndarray, scans: Points) -> np.ndarray:
    """Scans of each patient by cluster and name: [P, clusters, names]."""
    names = np.unique(names, return_inverse=True)[1]
    shape = int(clusters.max()) + 1, int(names.max()) + 1
    hot = np.zeros((len(names), shape[0] * shape[1]))
    hot[np.arange(len(names)), clusters * shape[1] + names] = 1
    return patient_sums(hot, scans.patient, scans.patients).reshape(scans.patients, *shape)


def _weighted(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.tensordot(weights.astype(np.float64), counts, axes=1)


def adjusted_rand(table: np.ndarray) -> np.ndarray:
    """Adjusted Rand index [R] of contingency tables [R, a, b]; NaN where neither partition parts anything.

    L. Hubert, P. Arabie, J. Classif. 2, 1985.
    """

    def pairs(counts: np.ndarray) -> np.ndarray:
        return (counts * (counts - 1) / 2).reshape(len(counts), -1).sum(axis=1)

    both = pairs(table)
    first, second = pairs(table.sum(axis=2)), pairs(table.sum(axis=1))
    expected = ratio(first * second, pairs(table.sum(axis=(1, 2))[:, None]))
    return ratio(both - expected, (first + second) / 2 - expected)


def clusterings(
    embeddings: np.ndarray, most_clusters: int = 30, repeats: int = 50, seed: int = 1337
) -> tuple[np.ndarray, int]:
    """Repeated K-means clusterings of unit rows from random starts: the cluster of each row, int64 [repeats, N], and K.

    K is the number from 2 to `most_clusters` with the highest silhouette (20 starts); each repeat has 5 starts.

    Args:
        embeddings: [N, E].
        most_clusters: the largest K tried, cut at N - 1.
        repeats: clusterings.
        seed: of K-means.

    Raises:
        ValueError: fewer than 3 rows, or a row that is not finite.
    """
    from threadpoolctl import threadpool_limits

    unit = finite_unit_rows(embeddings)
    if len(unit) < 3:
        raise ValueError(f"clusters need at least 3 embeddings, got {len(unit)}")
    if len(unit) < unit.shape[1]:  # the same distances in as many dimensions as there are rows
        left, singular, _ = np.linalg.svd(unit.astype(np.float64), full_matrices=False)
        unit = left * singular
    # On few rows threads wait for each other longer than they work.
    with threadpool_limits(1 if len(unit) < FEW_ROWS else None):
        return _clusterings(unit, most_clusters, repeats, seed)


def _clusterings(unit: np.ndarray, most_clusters: int, repeats: int, seed: int) -> tuple[np.ndarray, int]:
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    best, clusters = -np.inf, 2
    for k in range(2, min(most_clusters, len(unit) - 1) + 1):
        assigned = KMeans(k, init="random", n_init=20, random_state=seed).fit_predict(unit)
        if len(np.unique(assigned)) < 2:  # fewer distinct rows than clusters
            continue
        value = silhouette_score(unit, assigned)
        if value > best:
            best, clusters = value, k
    assigned = []
    for repeat in range(repeats):
        model = KMeans(clusters, init="random", n_init=5, random_state=seed + repeat)
        assigned.append(model.fit_predict(unit))
    return np.stack(assigned).astype(np.int64), clusters


def full_cells(label: np.ndarray, scanner: np.ndarray) -> list[np.ndarray]:
    """Rows of all cells of two labels and two scanners in which each combination occurs."""
    cells = []
    for labels in combinations(np.unique(label), 2):
        for scanners in combinations(np.unique(scanner), 2):
            rows = np.flatnonzero(np.isin(label, labels) & np.isin(scanner, scanners))
            if len({*zip(label[rows].tolist(), scanner[rows].tolist(), strict=True)}) == 4:
                cells.append(rows)
    return cells
