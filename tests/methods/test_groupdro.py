"""GroupDRO beside algorithm 1 of the paper, step by step in NumPy."""

import numpy as np
import pytest
import torch

from scangen_bundle.methods import create_method

from .test_vrex import batch_of


def risks_of(logits, batch):
    losses = -torch.log_softmax(logits, 1)[torch.arange(len(logits)), batch["label"]].numpy()
    scanner = batch["scanner"].numpy()
    return np.array([losses[scanner == index].mean() for index in np.unique(scanner)])


def test_with_the_mean_over_scanners_the_term_gives_the_weighted_loss_of_the_paper():
    method = create_method("groupdro", {"groupdro": {"step": 0.5}})
    share = np.ones(3) / 3
    for seed in range(4):
        torch.manual_seed(seed)
        logits, batch = torch.randn(6, 2), batch_of([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 1, 1])
        risks = risks_of(logits, batch)
        share = share * np.exp(0.5 * risks)
        share = share / share.sum()
        term = method.terms(None, logits, batch)["groupdro"]
        assert float(term) + risks.mean() == pytest.approx(float(share @ risks), abs=1e-6)


def test_a_scanner_that_is_hard_weighs_more_after_a_while():
    method = create_method("groupdro", {"groupdro": {"step": 1.0}})
    logits, batch = torch.tensor([[5.0, 0.0], [0.0, 5.0]]), batch_of([0, 1], [0, 0])
    for _ in range(3):
        method.terms(None, logits, batch)
    assert method.log_weight[1] > method.log_weight[0]


def test_measuring_without_gradient_does_not_move_the_weights():
    method = create_method("groupdro")
    with torch.no_grad():
        method.terms(None, torch.randn(2, 2), batch_of([0, 1], [0, 1]))
    assert (method.log_weight == 0).all()


def test_the_weights_travel_in_the_state():
    method, other = create_method("groupdro"), create_method("groupdro")
    method.terms(None, torch.randn(4, 2), batch_of([0, 1, 2, 2], [0, 1, 0, 1]))
    other.load_state_dict(method.state_dict())
    assert torch.equal(other.log_weight, method.log_weight)
