"""Shares are those of an analysis of variance of repeated places, and find simulated variances."""

import numpy as np
import pytest

from scangen_bundle.measures.feature_views import Places
from scangen_bundle.measures.of_features.variance import Variance

from .generated import WEIGHTS, draw_places, everyone, repeated


def shares(statistic, weights):
    """Tissue, scanner and interaction of one row of weights."""
    values = statistic(np.atleast_2d(weights))
    return [values[f"variance/{name}"][0] for name in ("tissue", "scanner", "interaction")]


def test_variance_is_the_analysis_of_variance_of_repeated_places():
    places_drawn = draw_places()
    features, patient = places_drawn.values, places_drawn.patient
    for weights in (np.ones(5, int), WEIGHTS):
        x = features[repeated(patient, weights)].astype(float)
        places, scanners, _ = x.shape
        of_place, of_scanner = x.mean(axis=1, keepdims=True), x.mean(axis=0, keepdims=True)
        rest = ((x - of_place - of_scanner + x.mean(axis=(0, 1))) ** 2).sum() / ((places - 1) * (scanners - 1))
        tissue = (of_place.var(axis=0, ddof=1).sum() * scanners - rest) / scanners
        scanner = (of_scanner.var(axis=1, ddof=1).sum() * places - rest) / places
        expected = np.array([tissue, scanner, rest]) / (tissue + scanner + rest)
        assert shares(Variance(features, patient), weights) == pytest.approx(expected, abs=1e-6)


def test_variance_finds_the_simulated_variances():
    generator = np.random.default_rng(0)
    places, scanners, dim = 200, 60, 40
    tissue = generator.normal(scale=3.0, size=(places, 1, dim))
    scanner = generator.normal(scale=2.0, size=(1, scanners, dim))
    statistic = Variance(tissue + scanner + generator.normal(size=(places, scanners, dim)), np.arange(places))
    assert shares(statistic, np.ones(places)) == pytest.approx((9 / 14, 4 / 14, 1 / 14), abs=0.02)


def test_variance_of_one_feature_equals_a_hand_calculation():
    # rows are places: means 1.5, 3.5, 5.5; columns are scanners: means 3, 4; no interaction
    table = np.array([[1, 2], [3, 4], [5, 6.0]])[:, :, None]
    # MS_place 8 -> 4; MS_scanner 1.5 -> 0.5; rest 0
    assert shares(Variance(table, np.arange(3)), np.ones(3)) == pytest.approx((4 / 4.5, 0.5 / 4.5, 0))


def test_no_variance_is_undefined_with_a_reason():
    places = draw_places()
    statistic = Variance(np.ones_like(places.values), places.patient)
    assert np.isnan(statistic(everyone(places))["variance/scanner"][0])
    assert statistic.reasons["variance/scanner"]


def test_shuffling_places_leaves_no_tissue_and_shuffling_scanners_no_scanner():
    places = draw_places(scanner_effect=2.0)
    generator = np.random.default_rng(0)
    shuffled = places.shuffled_places(generator), places.shuffled_scanners(generator)
    tissue, scanner = zip(
        *[
            shares(Variance(values, places.patient), np.ones(places.patients))[:2]
            for values in (places.values, *shuffled)
        ],
        strict=True,
    )
    assert tissue[0] > 0.1 > tissue[1]
    assert scanner[0] > 0.5 > 0.1 > scanner[2]
    for values in shuffled:
        assert np.sort(values.ravel()).tolist() == np.sort(places.values.ravel()).tolist()


@pytest.mark.parametrize(("effect", "least", "most"), [(3.0, 0.5, 1.0), (0.0, 0.0, 0.1)])
def test_a_planted_scanner_is_seen(effect, least, most):
    places: Places = draw_places(effect)
    _, scanner, _ = shares(Variance(places.values, places.patient), np.ones(places.patients))
    assert least <= scanner <= most
