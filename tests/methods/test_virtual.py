"""Virtual scanners in feature space: the fitted maps beside scikit-learn's ridge, and what a bag becomes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from scangen_bundle.errors import InputError
from scangen_bundle.methods import create_method, fit_method
from scangen_bundle.methods.virtual import fit_bank
from scangen_bundle.networks import MaskedMILModel

from .scans import random_scans

FEATURES = 6


def bank(seed=0, tiles=40, count=3):
    rng = np.random.default_rng(seed)
    plain = rng.normal(size=(tiles, FEATURES))
    maps = np.eye(FEATURES) + 0.2 * rng.normal(size=(count, FEATURES, FEATURES))
    return plain, plain @ maps + rng.normal(size=(count, 1, FEATURES))


def test_with_all_components_the_maps_are_a_ridge_regression_of_the_change():
    plain, moved = bank()
    mean, basis, offsets, maps = (part.numpy() for part in fit_bank(torch.tensor(plain), torch.tensor(moved), 6, 0.3))
    projected = (plain - mean) @ basis
    for index in range(len(moved)):
        change = moved[index] - plain
        np.testing.assert_allclose(offsets[index], change.mean(0), atol=1e-12)
        ridge = Ridge(alpha=0.3 * (projected**2).sum(0).mean(), fit_intercept=False)
        ridge.fit(projected, (change - change.mean(0)) @ basis)
        np.testing.assert_allclose(maps[index], ridge.coef_.T, atol=1e-8)


def test_with_a_small_ridge_a_linear_scanner_is_found_exactly():
    plain, moved = bank()
    mean, basis, offsets, maps = (part.numpy() for part in fit_bank(torch.tensor(plain), torch.tensor(moved), 6, 1e-9))
    for index in range(len(moved)):
        again = plain + offsets[index] + (plain - mean) @ basis @ maps[index] @ basis.T
        np.testing.assert_allclose(again, moved[index], atol=1e-6)


def fitted(**options):
    method = create_method("virtual", {"virtual": {"rank": FEATURES, "ridge": 1e-6, "probability": 1.0, **options}})
    MaskedMILModel(2, FEATURES, method=method)
    scans = random_scans(features=FEATURES)
    plain, moved = (torch.tensor(values, dtype=torch.float32) for values in bank())
    halves = [(plain[:20], moved[:, :20]), (plain[20:], moved[:, 20:])]
    for index, half in enumerate(halves):
        scans[index] = replace(scans[index], virtual=lambda half=half: half)
    fit_method(method, scans)
    return method, plain, moved


def test_a_bag_moves_by_a_mixture_of_two_members():
    method, plain, moved = fitted(strength=1.0)
    generator = torch.Generator().manual_seed(3)
    image = method.augment({"image": plain}, generator)["image"]
    generator = torch.Generator().manual_seed(3)
    draws = torch.rand(3, generator=generator)
    first, second = torch.randint(3, (2,), generator=generator).tolist()
    expected = plain + draws[1] * (moved[first] - plain) + draws[2] / 2 * (moved[second] - plain)
    torch.testing.assert_close(image, expected, atol=1e-3, rtol=1e-3)


def test_strength_or_probability_zero_leaves_the_bag():
    for options in ({"strength": 0.0}, {"probability": 0.0}):
        method, plain, _ = fitted(**options)
        moved = method.augment({"image": plain}, torch.Generator().manual_seed(0))["image"]
        torch.testing.assert_close(moved, plain)


def test_nothing_happens_at_inference():
    method, plain, _ = fitted()
    torch.testing.assert_close(method.transform(plain[None], None, None), plain[None])


def test_training_scans_without_virtual_tiles_are_refused_with_what_makes_them():
    method = create_method("virtual")
    MaskedMILModel(2, FEATURES, method=method)
    with pytest.raises(InputError, match=r"have 0 tiles under virtual scanners, 32 are needed -> .*run banking"):
        fit_method(method, random_scans(features=FEATURES))


def test_beside_a_transform_it_is_fitted_on_features_as_they_are_stored():
    alone, plain, moved = fitted()
    both = create_method("standardise+virtual", {"virtual": {"rank": FEATURES, "ridge": 1e-6}})
    MaskedMILModel(2, FEATURES, method=both)
    scans = random_scans(features=FEATURES)
    scans[0] = replace(scans[0], virtual=lambda: (plain, moved))
    fit_method(both, scans)
    torch.testing.assert_close(both.members()[1].offsets, alone.offsets)
