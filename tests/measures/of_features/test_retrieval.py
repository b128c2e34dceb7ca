"""Hits of pairs of scanners equal a sort of the stacked rows."""

import numpy as np
import pytest

from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.measures.of_features.retrieval import pair_hits, retrieval

from .generated import draw_places, observed


def test_retrieval_by_sorting_the_stacked_rows(monkeypatch):
    places = draw_places(scanner_effect=1.5)
    unit, n = places.unit, len(places)
    by_pair = {}
    for (a, b), hits in pair_hits(places, (1, 5)).items():
        stacked = np.concatenate([unit[:, a], unit[:, b]])
        similarity = stacked @ stacked.T
        np.fill_diagonal(similarity, -2)
        order = np.argsort(-similarity, axis=1)
        partner = np.concatenate([np.arange(n) + n, np.arange(n)])
        by_pair[a, b] = [(order[:, :k] == partner[:, None]).any(axis=1).mean() for k in (1, 5)]
        assert hits.mean(axis=0) == pytest.approx(by_pair[a, b])
    monkeypatch.setattr(FeatureViews, "places", places)
    features = FeatureViews.__new__(FeatureViews)
    features.device = "cpu"
    measured = retrieval(features)
    assert observed(measured)["retrieval/top1"] == pytest.approx(np.mean([first for first, _ in by_pair.values()]))
    assert measured.pairs["retrieval/top5"]["s0 | s1"] == pytest.approx(by_pair[0, 1][1])
    assert measured.baselines["retrieval/top5"] == pytest.approx(5 / (2 * n - 1))
