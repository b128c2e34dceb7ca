"""V-REx beside the formula of the paper, by hand."""

import numpy as np
import pytest
import torch

from scangen_bundle.methods import create_method


def batch_of(scanner, label):
    return {"scanner": torch.tensor(scanner), "label": torch.tensor(label), "specimen": torch.arange(len(scanner))}


def test_the_term_is_the_variance_of_the_scanners_losses():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0], [3.0, 0.0]])
    batch = batch_of([0, 0, 1, 1], [0, 1, 1, 1])
    losses = -torch.log_softmax(logits, 1)[torch.arange(4), batch["label"]].numpy()
    expected = np.var([losses[:2].mean(), losses[2:].mean()])
    assert float(create_method("vrex").terms(None, logits, batch)["vrex"]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("scanner", "label"), [([0, 0], [0, 1]), ([0, 1], [-1, -1])])
def test_a_single_scanner_or_no_label_gives_zero_with_a_gradient(scanner, label):
    logits = torch.randn(2, 2, requires_grad=True)
    term = create_method("vrex").terms(None, logits, batch_of(scanner, label))["vrex"]
    assert float(term.detach()) == 0
    term.backward()
    assert torch.isfinite(logits.grad).all()
