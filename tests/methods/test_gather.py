"""The batches of two processes as one, with gradient."""

import pytest
import torch

from scangen_bundle.methods import ScanGenLoss, gather_batch

from ..two_processes import in_two_processes
from .oracle import scangen_oracle
from .test_scangen import draw

SHARES = [(8, "scanner"), (5, "label"), (15, "scanner")]


def loss_of_shares(rank):
    answers = []
    for share, repel in SHARES:
        start, stop = (0, share) if rank == 0 else (share, 16)
        z, specimen, scanner, label = (values[start:stop] for values in draw(10, size=16))
        linear = torch.nn.Linear(6, 6, dtype=torch.float64)
        torch.nn.init.eye_(linear.weight)
        torch.nn.init.zeros_(linear.bias)
        model = torch.nn.parallel.DistributedDataParallel(linear)
        rows = {"specimen": specimen, "scanner": scanner, "label": label, "mask": torch.zeros(len(z), 3)}
        embedding, logits, rows = gather_batch(model(z), z[:, :2].clone().requires_grad_(), rows)
        assert torch.equal(logits, draw(10, size=16)[0][:, :2])
        loss = ScanGenLoss(repel=repel)(embedding, **rows)
        loss.backward()
        answers.append((loss.item(), linear.weight.grad.numpy(), linear.bias.grad.numpy()))
    return answers


def test_two_processes_equal_one_with_the_whole_batch_also_with_unequal_shares():
    expected = []
    for _, repel in SHARES:
        z, specimen, scanner, label = draw(10, size=16)
        weight, bias = torch.eye(6, dtype=torch.float64).requires_grad_(), torch.zeros(6).double().requires_grad_()
        loss = scangen_oracle(z @ weight.T + bias, specimen, scanner, label, repel=repel)[0]
        loss.backward()
        expected.append((loss.item(), weight.grad, bias.grad))
    for answers in in_two_processes(loss_of_shares):
        for (value, weight, bias), (loss, weight_expected, bias_expected) in zip(answers, expected, strict=True):
            assert value == pytest.approx(loss, abs=1e-6)
            torch.testing.assert_close(torch.from_numpy(weight), weight_expected, atol=1e-6, rtol=0)
            torch.testing.assert_close(torch.from_numpy(bias), bias_expected, atol=1e-6, rtol=0)


def test_a_single_process_gets_its_own_batch_back():
    z, specimen, scanner, label = draw(1, size=5)
    batch = {"specimen": specimen, "scanner": scanner, "label": label, "coords": torch.zeros(5, 3, 2)}
    embedding, logits, rows = gather_batch(z, z, batch)
    assert embedding is z is logits
    assert rows.keys() == {"specimen", "scanner", "label"}
