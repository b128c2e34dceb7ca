"""PathoROB's clustering score with an interval: clusters are those of the observed data, patients are resampled."""

from __future__ import annotations

import numpy as np

from scangen_bundle.encoder_benchmark.entries import Measured
from scangen_bundle.encoder_benchmark.unpaired_measures import Points
from scangen_bundle.measures.confounding_indices import clusterings, full_cells
from scangen_bundle.statistics.bootstrap import patient_sums, ratio

KEY = "clustering_score"
# PathoROB has 30 and 50, on some thousands of patches; a cell here has some dozens of scans.
MOST_CLUSTERS, REPEATS = 10, 10


class ClusteringScore:
    """Mean over cells and clusterings of the adjusted Rand index with the label minus that with the scanner.

    A patient that is drawn twice counts as two. Key: `clustering_score`.

    Args:
        scans: labelled scans.
        cells: rows of each cell of two labels and two scanners.
        assigned: clusters [repeats, rows] of each cell.
        patients: number of patients.
    """

    def __init__(self, scans: Points, cells: list[np.ndarray], assigned: list[np.ndarray], patients: int) -> None:
        self._tables = []
        self.reasons: dict[str, str] = {}
        for rows, found in zip(cells, assigned, strict=True):
            for clusters in found:
                self._tables.append(
                    tuple(
                        _counts(clusters, np.unique(names[rows], return_inverse=True)[1], scans.patient[rows], patients)
                        for names in (scans.label, scans.scanner)
                    )
                )

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        scores = [
            adjusted_rand(_weighted(by_label, weights)) - adjusted_rand(_weighted(by_scanner, weights))
            for by_label, by_scanner in self._tables
        ]
        return {KEY: np.mean(scores, axis=0)}


def clustering_measure(scans: Points, patients: int, seed: int = 0) -> Measured:
    """The clustering score of scans; unlabelled scans are left out.

    Args:
        scans: one vector per scan.
        patients: number of patients of the cohort.
        seed: of K-means.
    """
    labelled = scans[np.flatnonzero(scans.label >= 0)]
    if len(np.unique(labelled.label)) < 2 or len(np.unique(labelled.scanner)) < 2:
        return Measured([], reasons={KEY: "it needs two labels and two scanners"})
    cells = full_cells(labelled.label, labelled.scanner)
    if not cells:
        return Measured([], reasons={KEY: "no two labels and two scanners have scans of every combination"})
    assigned = [clusterings(labelled.values[rows], MOST_CLUSTERS, REPEATS, seed)[0] for rows in cells]
    note = f"{len(cells)} cells of two labels and two scanners"
    return Measured([ClusteringScore(labelled, cells, assigned, patients)], {KEY: 0.0}, notes={KEY: note})


def _counts(clusters: np.ndarray, names: np.ndarray, patient: np.ndarray, patients: int) -> np.ndarray:
    """Scans of each patient by cluster and name: [P, clusters, names]."""
    shape = int(clusters.max()) + 1, int(names.max()) + 1
    hot = np.zeros((len(names), shape[0] * shape[1]))
    hot[np.arange(len(names)), clusters * shape[1] + names] = 1
    return patient_sums(hot, patient, patients).reshape(patients, *shape)


def _weighted(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.tensordot(weights.astype(np.float64), counts, axes=1)


def adjusted_rand(table: np.ndarray) -> np.ndarray:
    """Adjusted Rand index [R] of contingency tables [R, a, b]; NaN where neither partition parts anything.

    L. Hubert, P. Arabie, J. Classif. 2, 1985.
    """

    def pairs(counts: np.ndarray) -> np.ndarray:
        return (counts * (counts - 1) / 2).reshape(len(counts), -1).sum(axis=1)

    both, first, second = pairs(table), pairs(table.sum(axis=2)), pairs(table.sum(axis=1))
    expected = ratio(first * second, pairs(table.sum(axis=(1, 2))[:, None]))
    return ratio(both - expected, (first + second) / 2 - expected)
