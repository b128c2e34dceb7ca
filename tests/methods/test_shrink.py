"""Soft shrinkage beside the formula with full matrices and beside generalised eigenvectors."""

import numpy as np
import scipy.linalg
import torch

from scangen_bundle.methods import create_method, fit_method
from scangen_bundle.methods.paired import paired_deltas, slide_means
from scangen_bundle.networks import MaskedMILModel

from .scans import random_scans

FEATURES = 5


def matrices(scans, shrink=0.1):
    means = slide_means(scans).numpy()
    deltas = paired_deltas(scans, torch.tensor(means)).numpy()
    covariance = np.cov(means.T, ddof=0)
    slides = (1 - shrink) * covariance + (shrink + 1e-4) * np.diag(covariance).mean() * np.eye(FEATURES)
    scanners = deltas.T @ deltas / len(deltas)
    return means.mean(0), slides, scanners * np.trace(slides) / np.trace(scanners)


def fitted(scans, **options):
    method = create_method("shrink", {"shrink": options})
    MaskedMILModel(2, FEATURES, method=method)
    fit_method(method, scans)
    return method


def test_tiles_become_what_the_formula_with_full_matrices_gives():
    scans = random_scans(features=FEATURES)
    mean, slides, scanners = matrices(scans)
    tiles = np.random.default_rng(0).normal(size=(4, FEATURES)) + mean
    expected = mean + (tiles - mean) @ np.linalg.solve(slides + 10 * scanners, slides)
    result = fitted(scans, strength=10.0).transform(torch.tensor(tiles, dtype=torch.float32)[None], None, None)[0]
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-3)


def test_each_common_eigenvector_keeps_its_share():
    scans = random_scans(features=FEATURES)
    mean, slides, scanners = matrices(scans)
    ratios, vectors = scipy.linalg.eigh(scanners, slides)
    method = fitted(scans, strength=3.0)
    centred = torch.tensor(np.eye(FEATURES) + mean, dtype=torch.float32)[None]
    applied = method.transform(centred, None, None)[0].double().numpy() - mean
    shares = np.diag(np.linalg.solve(vectors, applied @ vectors))
    np.testing.assert_allclose(shares, 1 / (1 + 3 * ratios), atol=2e-3)


def test_strength_zero_changes_nothing_and_a_large_one_makes_scans_of_a_specimen_alike():
    scans = random_scans(features=FEATURES)
    tiles = torch.stack([scan.read(5)[:5] for scan in scans])
    torch.testing.assert_close(fitted(scans, strength=0.0).transform(tiles, None, None), tiles)
    after = fitted(scans, strength=100.0).transform(tiles, None, None).mean(dim=1)
    before = tiles.mean(dim=1)
    specimen = np.array([scan.specimen for scan in scans])

    def within(rows):
        return np.mean([rows[specimen == name].var(dim=0).sum() for name in set(specimen)])

    assert within(after) < 0.2 * within(before)
