"""Generalisation index and clustering score by hand and on planted clusters."""

import numpy as np
import pytest

from scangen_bundle.metrics.confounding_indices import cell_clustering_score, clustering_score, generalisation_index
from scangen_bundle.metrics.embedding import NeighbourCounts


def counts(ss, so, os, oo):
    return NeighbourCounts(*(np.array([value]) for value in (ss, so, os, oo)), ss + so + os + oo)


def test_generalisation_index_is_other_scanners_accuracy_over_the_own_scanners():
    assert generalisation_index(counts(6, 3, 2, 3)) == pytest.approx((3 / 6) / (6 / 8))
    assert generalisation_index(counts(5, 5, 5, 5)) == 1
    assert generalisation_index(counts(4, 0, 1, 7)) == 0
    assert np.isnan(generalisation_index(counts(0, 3, 2, 1)))


def planted(label_effect, scanner_effect, seed=0, classes=2, scanners=2):
    generator = np.random.default_rng(seed)
    label, scanner = (part.ravel() for part in np.meshgrid(np.arange(classes), np.arange(scanners)))
    label, scanner = np.repeat(label, 20), np.repeat(scanner, 20)
    values = generator.normal(size=(len(label), 8)) * 0.3
    values += label_effect * np.eye(8)[label] + scanner_effect * np.eye(8)[4 + scanner]
    return values, label, scanner


@pytest.mark.parametrize(("label_effect", "scanner_effect", "expected"), [(6, 0, 1.0), (0, 6, -1.0), (0, 0, 0.0)])
def test_clusters_follow_what_was_planted(label_effect, scanner_effect, expected):
    found = clustering_score(*planted(label_effect, scanner_effect), most_clusters=4, repeats=5)
    assert found.score == pytest.approx(expected, abs=0.1)
    assert found.score == pytest.approx(found.label - found.scanner)


def test_number_of_clusters_is_the_one_with_the_best_silhouette():
    assert clustering_score(*planted(6, 5), most_clusters=6, repeats=1).clusters == 4


def test_cells_are_all_pairs_of_labels_and_scanners_that_are_full():
    values, label, scanner = planted(6, 0, classes=3, scanners=3)
    score, cells = cell_clustering_score(values, label, scanner, most_clusters=3, repeats=2)
    assert (score, cells) == (pytest.approx(1, abs=0.05), 9)
    keep = ~((label == 0) & (scanner == 0))
    assert cell_clustering_score(values[keep], label[keep], scanner[keep], most_clusters=3, repeats=2)[1] == 9 - 4
    none, cells = cell_clustering_score(values, np.zeros_like(label), scanner)
    assert np.isnan(none)
    assert cells == 0


def test_two_embeddings_are_no_clusters():
    with pytest.raises(ValueError, match="at least 3"):
        clustering_score(np.eye(2), np.arange(2), np.arange(2))
