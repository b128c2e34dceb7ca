"""The score is scikit-learn's Rand indices, of data repeated as the weights say, and follows what was planted."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from scangen_bundle.encoder_benchmark.clustering_measure import (
    MOST_CLUSTERS,
    REPEATS,
    adjusted_rand,
    clustering_measure,
)
from scangen_bundle.measures.confounding_indices import clusterings, full_cells

from .test_unpaired_measures import draw


def test_adjusted_rand_of_tables_is_scikit_learns():
    generator = np.random.default_rng(0)
    for clusters in (2, 3, 5):
        a, b = generator.integers(clusters, size=40), generator.integers(3, size=40)
        table = np.zeros((1, clusters, 3))
        np.add.at(table[0], (a, b), 1)
        assert adjusted_rand(table)[0] == pytest.approx(adjusted_rand_score(a, b))


def test_score_is_the_mean_over_cells_and_follows_the_weights():
    scans = draw(scanner_effect=1.0, label_effect=1.5, patients=10)
    (statistic,) = clustering_measure(scans, 10).statistics
    weights = np.array([[1] * 10, [2, 0, 1, 1, 3, 1, 0, 1, 1, 2]])
    by_hand: list[list[float]] = [[], []]
    for rows in full_cells(scans.label, scans.scanner):
        for one in clusterings(scans.values[rows], MOST_CLUSTERS, REPEATS, seed=0)[0]:
            for scores, weight in zip(by_hand, weights, strict=True):
                times = np.repeat(np.arange(len(rows)), weight[scans.patient[rows]])
                label, scanner = scans.label[rows][times], scans.scanner[rows][times]
                scores.append(adjusted_rand_score(label, one[times]) - adjusted_rand_score(scanner, one[times]))
    assert statistic(weights)["clustering_score"] == pytest.approx(np.mean(by_hand, axis=1))


@pytest.mark.parametrize(("label_effect", "scanner_effect", "expected"), [(9, 0, 1.0), (0, 9, -1.0), (0, 0, 0.0)])
def test_clusters_follow_what_was_planted(label_effect, scanner_effect, expected):
    scans = draw(scanner_effect, label_effect, patients=10, scanners=2)
    (statistic,) = clustering_measure(scans, 10).statistics
    assert statistic(np.ones((1, 10)))["clustering_score"][0] == pytest.approx(expected, abs=0.1)


def test_without_a_full_cell_there_is_no_score():
    scans = draw(patients=6)
    apart = scans[np.flatnonzero(scans.scanner == scans.label)]
    assert "every combination" in clustering_measure(apart, 6).reasons["clustering_score"]
