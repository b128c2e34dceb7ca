"""The score is scikit-learn's Rand indices, of data repeated as the weights say, and follows what was planted."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.of_features.clustering_score import (
    MOST_CLUSTERS,
    REPEATS,
    adjusted_rand,
    clustering_score,
    clusterings,
    full_cells,
)

from .generated import draw_points, views


def test_adjusted_rand_of_tables_is_scikit_learns():
    generator = np.random.default_rng(0)
    for clusters in (2, 3, 5):
        a, b = generator.integers(clusters, size=40), generator.integers(3, size=40)
        table = np.zeros((1, clusters, 3))
        np.add.at(table[0], (a, b), 1)
        assert adjusted_rand(table)[0] == pytest.approx(adjusted_rand_score(a, b))


def test_score_is_the_mean_over_cells_and_follows_the_weights():
    scans = draw_points(scanner_effect=1.0, label_effect=1.5, patients=10)
    (statistic,) = clustering_score(views(scans)).statistics
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
    scans = draw_points(scanner_effect, label_effect, patients=10, scanners=2)
    (statistic,) = clustering_score(views(scans)).statistics
    assert statistic(np.ones((1, 10)))["clustering_score"][0] == pytest.approx(expected, abs=0.1)


def test_without_a_full_cell_there_is_no_score():
    scans = draw_points(patients=6)
    apart = scans[np.flatnonzero(scans.scanner == scans.label)]
    with pytest.raises(UndefinedMeasure, match="every combination"):
        clustering_score(views(apart))


def planted(label_effect, scanner_effect, seed=0, classes=2, scanners=2):
    generator = np.random.default_rng(seed)
    label, scanner = (part.ravel() for part in np.meshgrid(np.arange(classes), np.arange(scanners)))
    label, scanner = np.repeat(label, 20), np.repeat(scanner, 20)
    values = generator.normal(size=(len(label), 8)) * 0.3
    values += label_effect * np.eye(8)[label] + scanner_effect * np.eye(8)[4 + scanner]
    return values, label, scanner


def test_number_of_clusters_is_the_one_with_the_best_silhouette():
    values, label, scanner = planted(6, 5)
    found, clusters = clusterings(values, most_clusters=6, repeats=3)
    assert (found.shape, clusters) == ((3, len(values)), 4)
    assert max(adjusted_rand_score(2 * label + scanner, one) for one in found) == 1  # some random starts are poor


def test_cells_are_all_pairs_of_labels_and_scanners_that_are_full():
    _, label, scanner = planted(6, 0, classes=3, scanners=3)
    assert [len(rows) for rows in full_cells(label, scanner)] == [80] * 9
    keep = ~((label == 0) & (scanner == 0))
    assert len(full_cells(label[keep], scanner[keep])) == 9 - 4
    assert full_cells(np.zeros_like(label), scanner) == []


def test_two_embeddings_are_no_clusters():
    with pytest.raises(ValueError, match="at least 3"):
        clusterings(np.eye(2))
