"""Weighted CKA equals the linear CKA of repeated places."""

from itertools import combinations

import numpy as np
import pytest

from scangen_bundle.measures.of_features.cka import Cka, linear_cka

from .generated import WEIGHTS, draw_places, everyone, repeated


def test_cka_equals_linear_cka_of_repeated_places():
    places = draw_places()
    features, patient = places.values, places.patient
    values = Cka(features, patient)(np.stack([np.ones(5), WEIGHTS]))["cka"]
    for value, rows in zip(values, (np.arange(len(patient)), repeated(patient, WEIGHTS)), strict=True):
        expected = np.mean([linear_cka(features[rows, a], features[rows, b]) for a, b in combinations(range(3), 2)])
        assert value == pytest.approx(expected, abs=1e-6)


def test_features_that_do_not_vary_are_undefined_with_a_reason():
    places = draw_places()
    statistic = Cka(np.ones_like(places.values), places.patient)
    assert np.isnan(statistic(everyone(places))["cka"][0])
    assert statistic.reasons["cka"] == "the features do not vary"


@pytest.mark.parametrize("shape", [(50, 8), (8, 50)])
def test_cka_equals_its_definition_by_kernels_and_ignores_rotation(shape):
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, *shape))
    centre = np.eye(shape[0]) - 1 / shape[0]
    k, m = centre @ a @ a.T @ centre, centre @ b @ b.T @ centre
    expected = np.trace(k @ m) / np.sqrt(np.trace(k @ k) * np.trace(m @ m))
    assert linear_cka(a, b) == pytest.approx(expected, abs=1e-10)
    rotation, _ = np.linalg.qr(generator.normal(size=(shape[1], shape[1])))
    assert linear_cka(a, 3 * a @ rotation + 1) == pytest.approx(1, abs=1e-10)
