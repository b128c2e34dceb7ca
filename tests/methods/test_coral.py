"""CORAL gives every scanner the training scanners' mean and covariance."""

import numpy as np
import torch

from scangen_bundle.methods import create_method, fit_method, scanner_keys
from scangen_bundle.networks import MaskedMILModel

from .scans import random_scans, tiles_of

FEATURES = 4


def fitted(scans, **options):
    method = create_method("coral", {"coral": {"fewest_patients": 1, **options}})
    MaskedMILModel(2, FEATURES, method=method)
    fit_method(method, scans)
    return method


def mapped(method, scans, scanner):
    tiles = torch.tensor(tiles_of(scans, scanner), dtype=torch.float32)
    return method.transform(tiles[None], None, scanner_keys([scanner]))[0].double().numpy()


def test_mean_and_covariance_become_those_of_the_training_scanners():
    scans = random_scans(held_out=("c",))
    method = fitted(scans, shrink=1e-6)
    training = [tiles_of(scans, name) for name in ("a", "b")]
    mean = np.mean([tiles.mean(0) for tiles in training], axis=0)
    covariance = np.mean([np.cov(tiles.T, ddof=0) for tiles in training], axis=0)
    for scanner in ("a", "b", "c"):
        result = mapped(method, scans, scanner)
        np.testing.assert_allclose(result.mean(0), mean, atol=1e-3)
        np.testing.assert_allclose(np.cov(result.T, ddof=0), covariance, atol=2e-3 * np.abs(covariance).max())


def test_shrunk_to_the_identity_it_shifts_and_scales_alone():
    scans = random_scans(scanners=("a", "b"))
    method = fitted(scans, shrink=1.0)
    before, after = tiles_of(scans, "a"), mapped(method, scans, "a")
    factor = (after - after.mean(0)) / (before - before.mean(0))
    np.testing.assert_allclose(factor, factor[0, 0], rtol=1e-3)


def test_what_lies_outside_the_components_is_shifted_alone():
    scans = random_scans(scanners=("a", "b"))
    method = fitted(scans, rank=1)
    before, after = tiles_of(scans, "a"), mapped(method, scans, "a")
    outside = np.eye(FEATURES) - (method.basis @ method.basis.T).double().numpy()
    np.testing.assert_allclose((after - after.mean(0)) @ outside, (before - before.mean(0)) @ outside, atol=1e-4)


def test_its_state_brings_the_map_to_another_network():
    scans = random_scans()
    method = fitted(scans)
    other = create_method("coral")
    MaskedMILModel(2, FEATURES, method=other)
    other.load_state_dict(method.state_dict())
    np.testing.assert_array_equal(mapped(other, scans, "b"), mapped(method, scans, "b"))
