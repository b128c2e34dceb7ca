"""The shares of the shift sum the energies of all pairs with the first scanner, and tell offset, map and noise apart."""

import numpy as np
import pytest

from scangen_bundle.measures.of_features.shift import Shift, shift_energies

from .generated import WEIGHTS, draw_places, everyone, repeated


def shares(statistic, weights):
    """Offset, affine and neither of one row of weights."""
    values = statistic(np.atleast_2d(weights))
    return [values[f"shift/{name}"][0] for name in ("offset", "affine", "neither")]


def test_shift_sums_the_energies_of_all_pairs_with_the_first_scanner():
    places = draw_places(scanners=3)
    features, patient = places.values, places.patient
    energies = sum(shift_energies(features[:, 0], features[:, s], patient) for s in (1, 2))
    energy, after_offset, after_affine = energies[repeated(patient, WEIGHTS)].sum(axis=0)
    expected = np.array([energy - after_offset, after_offset - after_affine, after_affine]) / energy
    assert shares(Shift(features, patient), WEIGHTS) == pytest.approx(expected)


def test_shift_tells_offset_affine_and_noise_apart():
    generator = np.random.default_rng(0)
    a, patient = generator.normal(size=(600, 6)), np.repeat(np.arange(60), 10)

    def of(b):
        return shares(Shift(np.stack([a, b], axis=1), patient), np.ones(60))

    assert of(a + 2)[0] == pytest.approx(1, abs=1e-6)
    # the map doubles a: energy 6 per row from the map, 24 from the offset
    assert of(2 * a + 2)[:2] == pytest.approx((24 / 30, 6 / 30), abs=0.02)
    noise = of(a + generator.normal(size=a.shape))
    assert noise[2] > 0.97
    assert noise[0] == pytest.approx(-1 / 480, abs=0.01)  # a mean of 480 rows of noise adds its own variance
    assert sum(noise) == pytest.approx(1)


def test_no_shift_is_undefined_with_a_reason():
    places = draw_places()
    statistic = Shift(np.ones_like(places.values), places.patient)
    assert np.isnan(statistic(everyone(places))["shift/offset"][0])
    assert statistic.reasons["shift/offset"] == "there is no shift"
