"""Generalisation index by hand; the number of clusters, and the cells, on planted ones."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from scangen_bundle.measures.confounding_indices import clusterings, full_cells, generalisation_index
from scangen_bundle.measures.embedding import NeighbourCounts


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
