"""Further indices of PathoROB with the scanner as confounder: generalisation index and clustering score.

J. Kömen et al., "Towards robust foundation models for digital pathology", 2025; github.com/bifold-pathomics/PathoROB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scangen_bundle.metrics.embedding import NeighbourCounts
from scangen_bundle.metrics.neighbours import finite_unit_rows


def generalisation_index(counts: NeighbourCounts) -> float:
    """(SS SO + SO OS) / (SS SO + SS OO) of the summed counts; NaN where the denominator is 0.

    This is the share of same-label neighbours among those of other scanners, SO / (SO + OO), over the same share among those
    of the own scanner, SS / (SS + OS): 1 where a neighbour from another scanner is worth as much as one from the own.
    """
    ss, so, os, oo = (float(part.sum()) for part in (counts.ss, counts.so, counts.os, counts.oo))
    below = ss * so + ss * oo
    return (ss * so + so * os) / below if below > 0 else float("nan")


@dataclass(frozen=True)
class ClusteringScore:
    """Means over repeated clusterings.

    Attributes:
        score: adjusted Rand index with the label minus that with the scanner, -1 to 1; chance is 0.
        label, scanner: the two indices.
        clusters: number of clusters, the one with the best silhouette.
    """

    score: float
    label: float
    scanner: float
    clusters: int


def clustering_score(
    embeddings: np.ndarray,
    label: np.ndarray,
    scanner: np.ndarray,
    most_clusters: int = 30,
    repeats: int = 50,
    seed: int = 1337,
) -> ClusteringScore:
    """Do clusters follow the label or the scanner?

    Unit rows are clustered by K-means with random starts; K is the number from 2 to `most_clusters` with the highest
    silhouette (20 starts), then `repeats` clusterings (5 starts each) are compared with label and scanner. PathoROB takes
    the mean over all cells of two classes and two scanners: see `cell_clustering_score`.

    Args:
        embeddings: [N, E].
        label, scanner: [N].
        most_clusters: the largest K tried, cut at N - 1.
        repeats: clusterings that are averaged.
        seed: of K-means.

    Raises:
        ValueError: fewer than 3 rows, or a row that is not finite.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    unit = finite_unit_rows(embeddings)
    if len(unit) < 3:
        raise ValueError(f"clusters need at least 3 embeddings, got {len(unit)}")
    best, clusters = -np.inf, 2
    for k in range(2, min(most_clusters, len(unit) - 1) + 1):
        assigned = KMeans(k, init="random", n_init=20, random_state=seed).fit_predict(unit)
        if len(np.unique(assigned)) < 2:  # fewer distinct rows than clusters
            continue
        value = silhouette_score(unit, assigned)
        if value > best:
            best, clusters = value, k
    indices = []
    for repeat in range(repeats):
        assigned = KMeans(clusters, init="random", n_init=5, random_state=seed + repeat).fit_predict(unit)
        indices.append((adjusted_rand_score(label, assigned), adjusted_rand_score(scanner, assigned)))
    by_label, by_scanner = np.mean(indices, axis=0)
    return ClusteringScore(float(by_label - by_scanner), float(by_label), float(by_scanner), clusters)


def cell_clustering_score(
    embeddings: np.ndarray, label: np.ndarray, scanner: np.ndarray, **options: int
) -> tuple[float, int]:
    """Mean `clustering_score` over all cells of two labels and two scanners in which each combination occurs; and their number.

    The score is NaN where there is no such cell. `options` are those of `clustering_score`.
    """
    scores = []
    labels, scanners = np.unique(label), np.unique(scanner)
    for i, first in enumerate(labels):
        for second in labels[i + 1 :]:
            for j, left in enumerate(scanners):
                for right in scanners[j + 1 :]:
                    rows = np.isin(label, (first, second)) & np.isin(scanner, (left, right))
                    if len({*zip(label[rows].tolist(), scanner[rows].tolist(), strict=True)}) == 4:
                        cell = clustering_score(embeddings[rows], label[rows], scanner[rows], **options)
                        scores.append(cell.score)
    return (float(np.mean(scores)) if scores else float("nan")), len(scores)
