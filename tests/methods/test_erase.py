"""Removed directions: paired ones by projection, LEACE beside the concept-erasure package of its authors."""

import numpy as np
import pytest
import torch
from concept_erasure import LeaceFitter

from scangen_bundle.methods import create_method, fit_method
from scangen_bundle.methods.erase import leace
from scangen_bundle.methods.paired import paired_deltas, slide_means
from scangen_bundle.networks import MaskedMILModel

from .scans import random_scans

FEATURES = 6


def fitted(scans, **options):
    method = create_method("erase", {"erase": options})
    MaskedMILModel(2, FEATURES, method=method)
    fit_method(method, scans)
    return method


def test_with_all_directions_removed_paired_slide_means_coincide():
    scans = random_scans(scanners=("a", "b"), features=FEATURES)
    method = fitted(scans, directions=FEATURES)
    means = slide_means(scans).float()
    after = method.transform(means[:, None], None, None)[:, 0].double()
    np.testing.assert_allclose(paired_deltas(scans, after), 0, atol=1e-4)


def test_one_direction_removed_is_the_strongest():
    scans = random_scans(scanners=("a", "b"), features=FEATURES)
    means = slide_means(scans)
    deltas = paired_deltas(scans, means).numpy()
    after = fitted(scans, directions=1).transform(means.float()[:, None], None, None)[:, 0].double()
    values = np.linalg.svd(deltas, compute_uv=False)
    remaining = np.linalg.svd(paired_deltas(scans, after).numpy(), compute_uv=False)
    np.testing.assert_allclose(remaining[: len(values) - 1], values[1:], atol=1e-4)


def test_leace_gives_what_its_authors_package_gives():
    rng = np.random.default_rng(0)
    scanner = np.repeat([0, 1, 2], 40)
    rows = torch.tensor(rng.normal(size=(120, FEATURES)) + rng.normal(size=(3, FEATURES))[scanner] * 2)
    concept = torch.nn.functional.one_hot(torch.tensor(scanner)).double()
    fitter = LeaceFitter(FEATURES, 3, dtype=torch.float64, shrinkage=False)
    fitter.update(rows, concept)
    expected = fitter.eraser(rows)
    read, remove = leace(rows, [f"s{index}" for index in scanner])
    mean = rows.mean(dim=0)
    torch.testing.assert_close(rows - ((rows - mean) @ read) @ remove, expected, atol=1e-6, rtol=1e-6)


def test_after_leace_scanners_have_one_mean():
    scans = random_scans(features=FEATURES, patients=20)
    means = slide_means(scans).float()
    after = fitted(scans, kind="leace").transform(means[:, None], None, None)[:, 0]
    scanner = np.array([scan.scanner for scan in scans])
    centres = np.stack([after[scanner == name].mean(dim=0) for name in "abc"])
    np.testing.assert_allclose(centres - centres.mean(0), 0, atol=1e-3)


def test_leace_needs_no_pairs_and_the_other_does():
    assert not create_method("erase", {"erase": {"kind": "leace"}}).needs.pairs
    assert create_method("erase").needs.pairs
    with pytest.raises(Exception, match="kind"):
        create_method("erase", {"erase": {"kind": "inlp"}})
