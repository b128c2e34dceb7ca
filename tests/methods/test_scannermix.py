"""ScannerMix moves a bag's mean and spread along the way from one scanner to another."""

import numpy as np
import pytest
import torch

from scangen_bundle.methods import create_method, fit_method, scanner_key
from scangen_bundle.networks import MaskedMILModel

from .scans import random_scans, tiles_of

FEATURES = 4


def fitted(**options):
    method = create_method("scannermix", {"scannermix": {"probability": 1.0, **options}})
    MaskedMILModel(2, FEATURES, method=method)
    scans = random_scans()
    fit_method(method, scans)
    return method, scans


def move(method, tiles, scanner, seed):
    item = {"image": torch.tensor(tiles, dtype=torch.float32), "scanner_key": scanner_key(scanner)}
    return method.augment(item, torch.Generator().manual_seed(seed))["image"].double().numpy()


def test_at_the_end_of_the_way_a_scanners_tiles_have_another_scanners_moments():
    method, scans = fitted(lowest=1.0, highest=1.0)
    tiles = tiles_of(scans, "a")
    targets = {name: tiles_of(scans, name) for name in ("b", "c")}
    reached = set()
    for seed in range(12):
        moved = move(method, tiles, "a", seed)
        for name, target in targets.items():
            if np.allclose(moved.mean(0), target.mean(0), atol=1e-4):
                np.testing.assert_allclose(moved.std(0), target.std(0), rtol=1e-4)
                reached.add(name)
    assert reached == {"b", "c"}


def test_half_way_the_mean_is_the_mean_of_means_and_the_spread_the_geometric_mean():
    method, scans = fitted(lowest=0.5, highest=0.5)
    tiles = tiles_of(scans, "a")
    moved = move(method, tiles, "a", 0)
    candidates = []
    for name in ("b", "c"):
        target = tiles_of(scans, name)
        means = (tiles.mean(0) + target.mean(0)) / 2
        candidates.append(
            np.allclose(moved.mean(0), means, atol=1e-4)
            and np.allclose(moved.std(0), np.sqrt(tiles.std(0) * target.std(0)), rtol=1e-4)
        )
    assert sum(candidates) == 1


def test_the_same_generator_moves_alike_and_probability_zero_moves_nothing():
    method, scans = fitted()
    tiles = tiles_of(scans, "b")
    np.testing.assert_array_equal(move(method, tiles, "b", 5), move(method, tiles, "b", 5))
    still, _ = fitted(probability=0.0)
    np.testing.assert_allclose(move(still, tiles, "b", 5), tiles, rtol=1e-6)


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="probability"):
        type(create_method("scannermix"))(probability=2)
