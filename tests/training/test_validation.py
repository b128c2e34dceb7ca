"""Validation runs at its interval and at the end."""

import pytest
import torch

from scangen_bundle.training import ValidationHandler

from .engines import Network, make_evaluator, make_trainer


@pytest.mark.parametrize(("interval", "epochs", "validated"), [(2, 5, [2, 4, 5]), (2, 4, [2, 4]), (9, 3, [3])])
def test_every_interval_and_the_last_epoch_are_validated_once(interval, epochs, validated):
    network, seen = Network(), []
    evaluator = make_evaluator(network)
    evaluator.run = seen.append
    trainer = make_trainer(network, torch.optim.SGD(network.parameters(), lr=0.1), [], epochs)
    ValidationHandler(evaluator, interval).attach(trainer)
    trainer.run()
    assert seen == validated


def test_an_interval_below_1_is_refused():
    with pytest.raises(ValueError, match="at least 1 epoch, got 0"):
        ValidationHandler(make_evaluator(Network()), 0)
