"""The three parts of VICReg, by loops."""

import numpy as np
import pytest
import torch

from scangen_bundle.methods import create_method


def parts(rows, specimen):
    means = {name: rows[specimen == name].mean(0) for name in np.unique(specimen)}
    invariance = np.mean([((row - means[name]) ** 2).sum() for row, name in zip(rows, specimen, strict=True)])
    table = np.stack(list(means.values()))
    variance = np.mean([max(0.0, 1 - np.sqrt(np.var(column, ddof=1) + 1e-4)) for column in table.T])
    covariance = np.cov(table.T)
    off = sum(covariance[i, j] ** 2 for i in range(len(covariance)) for j in range(len(covariance)) if i != j)
    return invariance, variance, off / rows.shape[1]


def term(rows, specimen, **options):
    method = create_method("vicreg", {"vicreg": options})
    return float(method.terms(torch.tensor(rows), None, {"specimen": torch.tensor(specimen)})["vicreg"])


def test_the_term_is_invariance_variance_and_covariance():
    rng = np.random.default_rng(0)
    rows, specimen = rng.normal(size=(9, 4)) * 0.6, np.array([0, 0, 1, 1, 1, 2, 3, 3, 3])
    invariance, variance, covariance = parts(rows, specimen)
    assert term(rows, specimen, variance=0, covariance=0) == pytest.approx(invariance)
    assert term(rows, specimen) == pytest.approx(invariance + variance + 0.04 * covariance)


def test_a_collapsed_embedding_costs_and_a_single_specimen_has_invariance_alone():
    assert term(np.zeros((4, 3)), np.array([0, 0, 1, 1])) == pytest.approx(1 - np.sqrt(1e-4))
    assert term(np.ones((2, 3)), np.array([5, 5])) == 0
