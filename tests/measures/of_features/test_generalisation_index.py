"""The index by hand, and of what was planted."""

import numpy as np
import pytest

from scangen_bundle.measures.neighbours import NeighbourCounts
from scangen_bundle.measures.of_features.generalisation_index import generalisation, generalisation_index

from .generated import draw_points, observed, views


def counts(ss, so, os, oo):
    return NeighbourCounts(*(np.array([value]) for value in (ss, so, os, oo)), ss + so + os + oo)


def test_generalisation_index_is_other_scanners_accuracy_over_the_own_scanners():
    assert generalisation_index(counts(6, 3, 2, 3)) == pytest.approx((3 / 6) / (6 / 8))
    assert generalisation_index(counts(5, 5, 5, 5)) == 1
    assert generalisation_index(counts(4, 0, 1, 7)) == 0
    assert np.isnan(generalisation_index(counts(0, 3, 2, 1)))


def test_a_planted_label_gives_an_index_of_one():
    assert observed(generalisation(views(draw_points(0, 3))))["generalisation_index@5"] > 0.95


def test_the_baseline_is_the_mean_over_random_features():
    measured = [generalisation(views(draw_points(seed=seed, tissue=0.0))) for seed in range(8)]
    mean = np.mean([observed(one)["generalisation_index@5"] for one in measured])
    assert mean == pytest.approx(measured[0].baselines["generalisation_index"], abs=0.12)
