"""Neighbours equal a sort of all cosines; what they share equals loops."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.metrics.pairwise import cosine_similarity

from scangen_bundle.measures import neighbours
from scangen_bundle.measures.neighbours import (
    ROBUSTNESS_KS,
    all_other_counts,
    choose_k,
    labelled_neighbours,
    nearest,
    vote,
)
from scangen_bundle.measures.of_features.robustness_index import robustness_index

from .of_features.generated import draw_embeddings, draw_points


@pytest.mark.parametrize("block", [10**7, 500])
def test_neighbours_equal_a_sort_of_all_cosines(block, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_ELEMENTS", block)
    values, patient, *_ = draw_embeddings()
    similarity = cosine_similarity(values.astype(np.float64))
    found = nearest(values, patient, 7)
    for row in range(len(values)):
        allowed = np.flatnonzero(patient != patient[row])
        expected = allowed[np.argsort(-similarity[row, allowed])][:7]
        assert found[row].tolist() == expected.tolist()


def test_too_few_neighbours_are_marked():
    found = nearest(np.eye(3), np.array([0, 0, 1]), 4)
    assert found[0].tolist() == [2, -1, -1, -1]
    assert (found[2] == -1).sum() == 2


def test_embeddings_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite, first at row 2"):
        nearest(np.array([[1.0, 0.0], [np.nan, 0.0]]), np.array([0, 1]), 1)


def test_vote_takes_the_most_frequent_then_the_nearest():
    classes = np.array([0, 1, 1, 0])
    assert vote(np.array([[1, 2, 0]]), classes).tolist() == [1]
    assert vote(np.array([[0, 1, -1]]), classes).tolist() == [0]
    assert vote(np.array([[1, 0, -1]]), classes).tolist() == [1]
    assert vote(np.array([[-1, -1, -1]]), classes).tolist() == [-1]


def test_random_neighbours_are_all_pairs_of_scans_of_two_patients():
    _, patient, _, scanner, label = draw_embeddings()
    kept = np.random.default_rng(2).random(len(label)) > 0.3
    patient, scanner, label = patient[kept], scanner[kept], label[kept]
    other = patient[:, None] != patient
    same_label, same_scanner = label[:, None] == label, scanner[:, None] == scanner
    found = all_other_counts(label, scanner, patient)
    for counted, pairs in (
        (found.ss, same_label & same_scanner),
        (found.so, same_label & ~same_scanner),
        (found.os, ~same_label & same_scanner),
        (found.oo, ~same_label & ~same_scanner),
    ):
        assert counted.tolist() == (pairs & other).sum(axis=1).tolist()
    balanced = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.arange(4)
    assert robustness_index(all_other_counts(*balanced)) == 0.5


def test_chosen_k_has_the_best_balanced_accuracy():
    values, patient, _, _, label = draw_embeddings(label_effect=0.3)
    found = nearest(values, patient, 15)
    ks = [1, 3, 7, 15]
    accuracy = [balanced_accuracy_score(label, vote(found[:, :k], label)) for k in ks]
    assert choose_k(found, label, ks) == ks[int(np.argmax(accuracy))]


def test_neighbours_are_counted_at_every_k_that_other_patients_fill():
    points = draw_points(patients=8, label_effect=3.0)  # 7 other patients on 3 scanners
    found = labelled_neighbours(points, further_ks=[4, 30])
    assert list(found.counts) == sorted({4, *(k for k in ROBUSTNESS_KS if k <= 21)})
    assert found.best_k in found.counts
