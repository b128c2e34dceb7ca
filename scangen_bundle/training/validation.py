"""When validation runs."""

from __future__ import annotations

from ignite.engine import Engine, Events
from monai.engines import Evaluator


class ValidationHandler:
    """Validate after every `interval` epochs and after the last one, which MONAI's handler of this name would leave out.

    Args:
        validator: the validation engine.
        interval: epochs between validations.
    """

    def __init__(self, validator: Evaluator, interval: int) -> None:
        if interval < 1:
            raise ValueError(f"expected an interval of at least 1 epoch, got {interval}")
        self.validator, self.interval = validator, interval

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        epoch = engine.state.epoch
        if epoch % self.interval == 0 or epoch == engine.state.max_epochs:
            self.validator.run(epoch)
