"""The support equals a loop over scans and their nearest neighbours."""

import numpy as np
import pytest

from scangen_bundle.measures.of_features.robustness_support import support

from .generated import draw_points, observed, views


def test_support_is_the_share_of_scans_with_an_informative_neighbour():
    points = draw_points(scanner_effect=2.0, label_effect=2.0)
    unit = points.values / np.linalg.norm(points.values, axis=1, keepdims=True)
    informative = []
    for row in range(len(points)):
        others = np.flatnonzero(points.patient != points.patient[row])
        nearest = others[np.argsort(-unit[others] @ unit[row])][:3]
        same_label = points.label[nearest] == points.label[row]
        same_scanner = points.scanner[nearest] == points.scanner[row]
        informative.append((same_label != same_scanner).any())
    value = observed(support(views(points)))["robustness_support@3"]
    assert 0 < value < 1
    assert value == pytest.approx(np.mean(informative))


def test_all_scans_are_supported_by_many_neighbours():
    assert observed(support(views(draw_points())))["robustness_support@61"] == 1
