"""An epoch depends on the seed and its number alone."""

import pytest
import torch
from ignite.engine import Events

from scangen_bundle.training.epoch import EpochSeedHandler

from .engines import Network, make_trainer


def draws(seed, max_epochs=3):
    network, seen = Network(), []
    trainer = make_trainer(network, torch.optim.SGD(network.parameters(), lr=0.1), [EpochSeedHandler(seed)], max_epochs)
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda _: seen.append(float(torch.rand(()))))
    trainer.run()
    return seen


def test_random_draws_repeat_by_seed_and_differ_between_epochs():
    torch.manual_seed(123)
    first = draws(0)
    torch.manual_seed(456)
    assert draws(0) == first
    assert len(set(first)) == len(first)
    assert draws(1) != first


def test_samplers_are_told_the_epoch():
    class Sampler:
        def __init__(self):
            self.epochs = []

        def set_epoch(self, epoch):
            self.epochs.append(epoch)

    network, sampler = Network(), Sampler()
    handler = EpochSeedHandler(0, [sampler])
    make_trainer(network, torch.optim.SGD(network.parameters(), lr=0.1), [handler], 3).run()
    assert sampler.epochs == [1, 2, 3]


def test_an_object_without_set_epoch_is_refused():
    with pytest.raises(ValueError, match="set_epoch"):
        EpochSeedHandler(0, [object()])
