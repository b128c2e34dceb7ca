"""MaskedCrossEntropy beside PyTorch's cross-entropy on the labelled scans."""

import pytest
import torch

from scangen_bundle.tasks import MaskedCrossEntropy


def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(7, 3, generator=generator, requires_grad=True), torch.tensor([0, -1, 2, 1, -1, 2, 2])


def test_unlabelled_scans_count_for_nothing():
    pred, label = batch()
    loss = MaskedCrossEntropy()(pred, label)
    known = label >= 0
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(pred[known], label[known]))
    loss.backward()
    assert (pred.grad[~known] == 0).all()
    assert (pred.grad[known] != 0).all()


def test_class_weights_multiply_each_scans_loss_and_the_mean_is_over_scans():
    pred, label = batch()
    weights = [0.5, 2.0, 1.5]
    by_hand = [
        -weights[target] * torch.log_softmax(row, dim=0)[target]
        for row, target in zip(pred, label, strict=True)
        if target >= 0
    ]
    loss = MaskedCrossEntropy(weights)(pred, label)
    torch.testing.assert_close(loss, torch.stack(by_hand).mean())


def test_a_batch_without_labels_gives_zero_with_a_gradient_of_zero():
    pred, label = batch()
    loss = MaskedCrossEntropy()(pred, torch.full_like(label, -1))
    loss.backward()
    assert loss.item() == 0
    assert (pred.grad == 0).all()


def test_half_precision_logits_are_computed_in_float32():
    pred, label = batch()
    half = pred.detach().half()
    loss = MaskedCrossEntropy()(half, label)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, MaskedCrossEntropy()(half.float(), label))


def test_a_label_outside_the_classes_is_refused():
    pred, label = batch()
    with pytest.raises(IndexError):
        MaskedCrossEntropy()(pred, label + 1)
