"""Silhouettes equal scikit-learn's; a planted scanner raises them; what is alone has none."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.of_features.silhouette import by_scanner, by_specimen, silhouette_values

from .generated import change, draw_embeddings, draw_points, observed, views


def test_silhouette_equals_scikit_learns_with_cosine_distance():
    values, _, _, scanner, _ = draw_embeddings()
    scanner[0] = 7  # alone in its cluster
    expected = silhouette_samples(values.astype(np.float64), scanner, metric="cosine")
    np.testing.assert_allclose(silhouette_values(values, scanner), expected, atol=1e-6)  # rows are scaled in float32


def test_a_planted_scanner_raises_the_silhouette():
    planted, nothing = (observed(by_scanner(views(draw_points(effect))))["silhouette/scanner"] for effect in (3.0, 0.0))
    assert planted > 0.3 > nothing


def test_specimens_of_one_tile_each_have_no_silhouette():
    points = draw_points(scanners=1)
    with pytest.raises(UndefinedMeasure, match="the only one of its specimen"):
        by_specimen(views(points))


def test_one_cluster_has_no_silhouette():
    with pytest.raises(UndefinedMeasure, match="one specimen only"):
        by_specimen(views(change(draw_points(), specimen=0)))


def test_a_collapsed_space_has_no_exact_interval():
    points = draw_points()
    statistic = by_scanner(views(type(points)(np.ones_like(points.values), *list(vars(points).values())[1:5])))
    assert statistic.statistics[0].trials == {}
