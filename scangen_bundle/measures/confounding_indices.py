"""Further indices of PathoROB with the scanner as confounder: generalisation index, and the clusters of its clustering score.

J. Kömen et al., "Towards robust foundation models for digital pathology", 2025; github.com/bifold-pathomics/PathoROB.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from scangen_bundle.measures.embedding import NeighbourCounts
from scangen_bundle.measures.neighbours import finite_unit_rows

FEW_ROWS = 2000


def generalisation_index(counts: NeighbourCounts) -> float:
    """(SS SO + SO OS) / (SS SO + SS OO) of the summed counts; NaN where the denominator is 0.

    This is the share of same-label neighbours among those of other scanners, SO / (SO + OO), over the same share among those
    of the own scanner, SS / (SS + OS): 1 where a neighbour from another scanner is worth as much as one from the own.
    """
    ss, so, os, oo = (float(part.sum()) for part in (counts.ss, counts.so, counts.os, counts.oo))
    below = ss * so + ss * oo
    return (ss * so + so * os) / below if below > 0 else float("nan")


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
    found = [
        KMeans(clusters, init="random", n_init=5, random_state=seed + repeat).fit_predict(unit)
        for repeat in range(repeats)
    ]
    return np.stack(found).astype(np.int64), clusters


def full_cells(label: np.ndarray, scanner: np.ndarray) -> list[np.ndarray]:
    """Rows of all cells of two labels and two scanners in which each combination occurs."""
    cells = []
    for labels in combinations(np.unique(label), 2):
        for scanners in combinations(np.unique(scanner), 2):
            rows = np.flatnonzero(np.isin(label, labels) & np.isin(scanner, scanners))
            if len({*zip(label[rows].tolist(), scanner[rows].tolist(), strict=True)}) == 4:
                cells.append(rows)
    return cells
