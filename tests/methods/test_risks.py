"""The task's loss on each scanner, by a loop."""

import pytest
import torch

from scangen_bundle.methods.risks import scanner_risks


def test_risks_are_each_scanners_mean_cross_entropy_of_labelled_scans():
    torch.manual_seed(0)
    logits = torch.randn(7, 3)
    label = torch.tensor([0, 2, -1, 1, 1, -1, 0])
    scanner = torch.tensor([4, 1, 1, 4, 1, 2, 4])
    scanners, risks = scanner_risks(logits, label, scanner)
    assert scanners.tolist() == [1, 4]
    for index, risk in zip(scanners, risks, strict=True):
        losses = [
            -torch.log_softmax(logits[row], 0)[label[row]]
            for row in range(7)
            if scanner[row] == index and label[row] >= 0
        ]
        assert float(risk) == pytest.approx(float(sum(losses) / len(losses)), abs=1e-6)


def test_without_a_label_there_is_no_risk():
    scanners, risks = scanner_risks(torch.zeros(2, 2), torch.tensor([-1, -1]), torch.tensor([0, 1]))
    assert len(scanners) == len(risks) == 0
