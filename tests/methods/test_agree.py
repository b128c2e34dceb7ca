"""The symmetric divergence between scans of a specimen, beside a loop."""

from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from scangen_bundle.methods import create_method


def test_the_term_is_the_mean_symmetric_divergence_over_pairs():
    torch.manual_seed(0)
    logits, specimen = torch.randn(6, 3), torch.tensor([0, 1, 0, 0, 1, 2])
    shares = torch.softmax(logits, 1).double().numpy()
    values = [
        entropy(shares[a], shares[b]) + entropy(shares[b], shares[a])
        for a, b in combinations(range(6), 2)
        if specimen[a] == specimen[b]
    ]
    term = create_method("agree").terms(None, logits, {"specimen": specimen})["agree"]
    assert float(term) == pytest.approx(np.mean(values), rel=1e-5)


def test_for_two_classes_it_is_the_product_of_differences():
    logit = torch.tensor([0.3, -1.2])
    logits = torch.stack([torch.zeros(2), logit], dim=1)
    share = torch.sigmoid(logit)
    expected = (share[0] - share[1]) * (logit[0] - logit[1])
    term = create_method("agree").terms(None, logits, {"specimen": torch.zeros(2, dtype=torch.int64)})["agree"]
    torch.testing.assert_close(term, expected)


def test_scans_that_agree_or_have_no_partner_give_zero():
    logits = torch.randn(1, 2).repeat(3, 1).requires_grad_()
    assert float(create_method("agree").terms(None, logits, {"specimen": torch.zeros(3)})["agree"]) == 0
    alone = create_method("agree").terms(None, logits, {"specimen": torch.arange(3)})["agree"]
    alone.backward()
    assert float(alone) == 0
