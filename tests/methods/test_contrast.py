"""Contrastive losses and the methods that use them, beside loops over anchors."""

import numpy as np
import pytest
import torch

from scangen_bundle.methods import create_method
from scangen_bundle.methods.contrast import masked_info_nce, supervised_contrast

SPECIMEN = np.array([0, 0, 1, 1, 2, 2, 2])
SCANNER = np.array([0, 1, 0, 1, 0, 1, 2])


def similarities(temperature):
    rows = np.random.default_rng(1).normal(size=(7, 5))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, unit @ unit.T / temperature


def test_info_nce_compares_with_specimens_on_the_scans_own_scanner():
    rows, similarity = similarities(0.2)
    losses = []
    for i in range(7):
        against = sum(
            np.exp(similarity[i, k]) for k in range(7) if SPECIMEN[k] != SPECIMEN[i] and SCANNER[k] == SCANNER[i]
        )
        for j in range(7):
            if j != i and SPECIMEN[j] == SPECIMEN[i]:
                losses.append(-np.log(np.exp(similarity[i, j]) / (np.exp(similarity[i, j]) + against)))
    batch = {"specimen": torch.tensor(SPECIMEN), "scanner": torch.tensor(SCANNER)}
    term = create_method("infonce", {"infonce": {"temperature": 0.2}}).terms(torch.tensor(rows), None, batch)
    assert float(term["infonce"]) == pytest.approx(np.mean(losses))


def test_supervised_contrast_is_the_papers_outer_form():
    rows, similarity = similarities(0.1)
    losses = []
    for i in range(7):
        positives = [j for j in range(7) if j != i and SPECIMEN[j] == SPECIMEN[i]]
        everyone = sum(np.exp(similarity[i, k]) for k in range(7) if k != i)
        losses.append(-np.mean([np.log(np.exp(similarity[i, j]) / everyone) for j in positives]))
    term = create_method("supcon").terms(torch.tensor(rows), None, {"specimen": torch.tensor(SPECIMEN)})
    assert float(term["supcon"]) == pytest.approx(np.mean(losses))


def test_without_positives_both_are_zero_with_a_gradient():
    rows = torch.randn(3, 4, requires_grad=True)
    nothing = torch.zeros(3, 3, dtype=torch.bool)
    total = masked_info_nce(rows, nothing, ~nothing, 0.1) + supervised_contrast(rows, torch.arange(3), 0.1)
    total.backward()
    assert float(total) == 0
    assert torch.isfinite(rows.grad).all()
