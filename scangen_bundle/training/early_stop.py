"""Stop when validation has not improved for a while."""

from __future__ import annotations

import logging

from ignite.engine import Engine, Events

logger = logging.getLogger(__name__)


class EarlyStopHandler:
    """End training after a validation whose best epoch lies at least `patience` epochs back.

    It counts epochs of training, not validations as MONAI's `EarlyStopHandler` does. It reads
    `evaluator.state.best_metric_epoch`, which checkpoints keep, so it has no state of its own. Attach it to the trainer after
    the handler that validates.

    Args:
        evaluator: the validation engine.
        patience: epochs without a new best; 0 never stops.
    """

    def __init__(self, evaluator: Engine, patience: int) -> None:
        if patience < 0:
            raise ValueError(f"expected patience >= 0 epochs, got {patience}")
        self.evaluator, self.patience = evaluator, patience

    def attach(self, engine: Engine) -> None:
        if self.patience > 0:
            engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        if self.evaluator.state.epoch != engine.state.epoch:
            return  # not validated in this epoch: nothing new is known
        best = max(0, self.evaluator.state.best_metric_epoch)
        if engine.state.epoch - best >= self.patience:
            logger.info("no better validation since epoch %d: training stops at epoch %d", best, engine.state.epoch)
            engine.terminate()
