"""Davies-Bouldin index: how much do the clusters of scanners, or of labels, overlap?"""

from __future__ import annotations

import numpy as np

from scangen_bundle.measures.feature_measure import UNPAIRED, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.neighbours import finite_unit_rows
from scangen_bundle.measures.points import Points
from scangen_bundle.statistics.bootstrap import patient_sums, ratio

SAME_PLACE = 1e-6  # unit rows are float32: centres nearer than this differ by rounding


@feature_measure(
    FeatureMeasure(
        "davies_bouldin/scanner",
        "Davies-Bouldin by scanner",
        "higher",
        "Overlap of the scanners' clusters of vectors.",
        group=UNPAIRED,
        position=30,
        of_embeddings=True,
    )
)
def by_scanner(features: FeatureViews) -> Measured:
    tiles = features.sampled_tiles
    return _measured("davies_bouldin/scanner", tiles, tiles.scanner)


@feature_measure(
    FeatureMeasure(
        "davies_bouldin/label",
        "Davies-Bouldin by label",
        "lower",
        "Overlap of the labels' clusters of vectors.",
        group=UNPAIRED,
        position=31,
        of_embeddings=True,
    )
)
def by_label(features: FeatureViews) -> Measured:
    tiles = features.sampled_tiles.drop_unlabelled()
    return _measured("davies_bouldin/label", tiles, tiles.label)


def _measured(key: str, points: Points, cluster: np.ndarray) -> Measured:
    statistic = DaviesBouldin(key, points.values, cluster, points.patient, points.patients)
    return Measured([statistic], points.patients, rows=len(points))


class DaviesBouldin:
    """Davies-Bouldin index of unit embeddings as a statistic of patient weights, 0 = clusters well apart.

    The mean over clusters of the largest (S_a + S_b) / M_ab: S the mean Euclidean distance of a cluster's scans to its
    centre, M the distance of two centres (D. Davies, D. Bouldin, IEEE Trans. Pattern Anal. 1, 1979), as scikit-learn has it.
    The centres are those of all patients in every resample: found anew they would lie nearer to the drawn scans, each of
    which counts twice or more, and the index would fall.

    Args:
        key: of the figure.
        embeddings: [N, E].
        cluster: [N] names of clusters.
        patient: [N] int64.
        patients: P.

    Raises:
        UndefinedMeasure: fewer than two clusters, or every scan is its own.
    """

    def __init__(
        self, key: str, embeddings: np.ndarray, cluster: np.ndarray, patient: np.ndarray, patients: int
    ) -> None:
        names, cluster = np.unique(cluster, return_inverse=True)
        if not 2 <= len(names) < len(cluster):
            raise UndefinedMeasure("needs at least two clusters, and more scans than clusters")
        self.key = key
        unit = finite_unit_rows(embeddings).astype(np.float64)
        centres = np.stack([unit[cluster == c].mean(axis=0) for c in range(len(names))])
        distance = np.linalg.norm(unit - centres[cluster], axis=1)
        member = cluster[:, None] == np.arange(len(names))
        self._scans = patient_sums(member.astype(np.float64), patient, patients)
        self._spread = patient_sums(member * distance[:, None], patient, patients)
        apart = np.linalg.norm(centres[:, None] - centres, axis=2)
        np.fill_diagonal(apart, np.inf)  # a cluster is not compared with itself
        self._apart = np.where(apart < SAME_PLACE, np.nan, apart)
        self.reasons = {key: "two clusters have the same centre"} if (apart < SAME_PLACE).any() else {}

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        spread = ratio(weights @ self._spread, weights @ self._scans)
        overlap = ratio(spread[:, :, None] + spread[:, None], self._apart[None])
        return {self.key: overlap.max(axis=2).mean(axis=1)}
