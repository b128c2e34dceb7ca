"""The mean of the worst tenth equals croma's, also on data repeated as the weights say."""

import numpy as np
import pytest
from croma.metrics.tail import compute_tail_metrics

from scangen_bundle.measures.neighbours import NeighbourCounts, nearest
from scangen_bundle.measures.of_features.robustness_ltm10 import LowerTailMean, worst_tenth

from .generated import draw_points, observed, views


def own_index(points, k):
    """Each scan's own index by a loop, NaN where it has none."""
    values = []
    for row, neighbours in enumerate(nearest(points.values, points.patient, k)):
        same_label = points.label[neighbours] == points.label[row]
        same_scanner = points.scanner[neighbours] == points.scanner[row]
        so, os = (same_label & ~same_scanner).sum(), (~same_label & same_scanner).sum()
        values.append(so / (so + os) if so + os else np.nan)
    return np.array(values)


@pytest.mark.parametrize("k", [1, 5, 21])
def test_the_worst_tenth_is_cromas(k):
    points = draw_points(scanner_effect=1.0, label_effect=1.5)
    expected = compute_tail_metrics(own_index(points, k)).ltm_alpha
    assert observed(worst_tenth(views(points)))[f"robustness_ltm10@{k}"] == pytest.approx(expected)


def test_a_patient_that_is_drawn_twice_counts_as_two():
    generator = np.random.default_rng(0)
    so, os = generator.integers(0, 5, (2, 60))
    nothing, patient = np.zeros(60, int), np.repeat(np.arange(12), 5)
    statistic = LowerTailMean("ltm", NeighbourCounts(nothing, so, os, nothing, 5), patient)
    weights = generator.integers(0, 4, (6, 12))
    values = statistic(weights)["ltm"]
    for row, value in zip(weights, values, strict=True):
        rows = np.repeat(np.arange(60), row[patient])
        either = so[rows] + os[rows]
        own = so[rows][either > 0] / either[either > 0]
        assert value == pytest.approx(compute_tail_metrics(own).ltm_alpha)


def test_without_an_informative_neighbour_it_is_undefined_with_a_reason():
    nothing = np.zeros(4, int)
    statistic = LowerTailMean("ltm", NeighbourCounts(nothing, nothing, nothing, nothing, 3), np.arange(4))
    assert np.isnan(statistic(np.ones((1, 4), int))["ltm"][0])
    assert statistic.reasons["ltm"] == "no scan enters the robustness index"
