"""Training stops when validation no longer improves."""

from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Events

from scangen_bundle.training.early_stop import EarlyStopHandler

from .engines import Network, make_trainer


@pytest.mark.parametrize(
    ("patience", "interval", "last_epoch"),
    [(2, 1, 5), (0, 1, 8), (20, 1, 8), (1, 3, 6), (2, 4, 8), (2, 9, 8)],
)
def test_training_ends_at_the_first_validation_patience_epochs_after_the_best(patience, interval, last_epoch):
    network = Network()
    evaluator = SimpleNamespace(state=SimpleNamespace(best_metric_epoch=-1, epoch=0))
    handler = EarlyStopHandler(evaluator, patience)
    trainer = make_trainer(network, torch.optim.SGD(network.parameters(), lr=0.1), [], max_epochs=8)

    @trainer.on(Events.EPOCH_COMPLETED)
    def validate(engine):
        if engine.state.epoch % interval == 0:
            evaluator.state.epoch = engine.state.epoch
            evaluator.state.best_metric_epoch = min(engine.state.epoch, 3)

    handler.attach(trainer)
    trainer.run()
    assert trainer.state.epoch == last_epoch
