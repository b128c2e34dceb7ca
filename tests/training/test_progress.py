"""Long work shows how far it is."""

import pytest
import torch

from scangen_bundle.training.progress import ProgressHandler

from .engines import Network, make_evaluator, make_trainer


def test_an_evaluators_bar_counts_its_batches(capsys):
    make_evaluator(Network(), [ProgressHandler("inferring")]).run()
    assert "inferring: 100%" in capsys.readouterr().err.splitlines()[-1]


def test_a_trainers_bar_counts_its_epochs_with_the_loss(capsys):
    network = Network()
    make_trainer(
        network, torch.optim.SGD(network.parameters(), lr=0.1), [ProgressHandler("training", "epoch")], 3
    ).run()
    last = capsys.readouterr().err.splitlines()[-1]
    assert "3/3" in last
    assert "loss=" in last


def test_an_unknown_unit_is_refused():
    with pytest.raises(ValueError, match="'hour'"):
        ProgressHandler("x", "hour")
