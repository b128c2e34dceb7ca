"""Training stops when validation no longer improves."""

from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Events

from scangen_bundle.handlers.early_stop import EarlyStopHandler

from .engines import Network, make_trainer


@pytest.mark.parametrize(("patience", "last_epoch"), [(2, 5), (0, 8), (20, 8)])
def test_training_ends_patience_epochs_after_the_best(patience, last_epoch):
    network = Network()
    evaluator = SimpleNamespace(state=SimpleNamespace(best_metric_epoch=-1))
    handler = EarlyStopHandler(evaluator, patience)
    trainer = make_trainer(network, torch.optim.SGD(network.parameters(), lr=0.1), [], max_epochs=8)

    @trainer.on(Events.EPOCH_COMPLETED)
    def validate(engine):
        evaluator.state.best_metric_epoch = min(engine.state.epoch, 3)

    handler.attach(trainer)
    trainer.run()
    assert trainer.state.epoch == last_epoch
