"""Specimens are ordered by how much their scanners disagree."""

import numpy as np
import pytest

from scangen_bundle.measures.disagreement import (
    disagreement,
    predicted_class,
    probability_table,
)


def binary(rows):
    """A table [M, S, 2] from probabilities of class 1."""
    ones = np.array(rows, dtype=float)
    return np.stack([1 - ones, ones], axis=2)


def test_scans_of_one_scanner_count_as_their_mean_and_gaps_are_nan():
    table = probability_table(
        np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]), np.array([[0.2, 0.8], [0.4, 0.6], [0.5, 0.5], [np.nan, np.nan]])
    )
    assert table.shape == (2, 2, 2)
    assert table[0, 0] == pytest.approx([0.3, 0.7])
    assert np.isnan(table[0, 1]).all()
    assert np.isnan(table[1, 1]).all()


def test_a_flip_is_two_classes_at_the_threshold_which_itself_is_positive():
    found = disagreement(binary([[0.2, 0.3], [0.49, 0.5], [0.5, 0.9], [0.1, np.nan]]), 0.5)
    assert found.flips.tolist() == [False, True, False, False]
    assert found.scanners.tolist() == [2, 2, 2, 1]


def test_the_spread_is_the_standard_deviation_of_the_logit():
    found = disagreement(binary([[0.2, 0.5, 0.8], [0.5, np.nan, np.nan]]), 0.5)
    assert found.spread[0] == pytest.approx(np.std([-np.log(4), 0, np.log(4)], ddof=1))
    assert np.isnan(found.spread[1])


def test_probabilities_of_0_and_1_have_a_finite_spread():
    assert np.isfinite(disagreement(binary([[0.0, 1.0]]), 0.5).spread).all()


def test_without_a_threshold_nothing_flips_and_no_class_is_given():
    table = binary([[0.1, 0.9]])
    assert not disagreement(table, None).flips.any()
    assert np.isnan(predicted_class(table, None)).all()


def test_with_several_classes_the_most_probable_one_counts():
    table = np.array([[[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]], [[0.4, 0.35, 0.25], [0.3, 0.2, 0.5]]])
    found = disagreement(table, None)
    assert found.flips.tolist() == [False, True]
    by_class = np.log(table / (1 - table)).std(axis=1, ddof=1)
    assert found.spread == pytest.approx(by_class.max(axis=1))


def test_flips_come_first_then_the_widest_spread_then_the_order_of_names_and_single_scans_last():
    table = binary([[0.9, np.nan], [0.8, 0.8], [0.6, 0.99], [0.45, 0.55], [0.8, 0.8], [0.1, 0.9]])
    assert disagreement(table, 0.5).order().tolist() == [5, 3, 2, 1, 4, 0]
