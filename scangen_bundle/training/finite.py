"""Stop at the first loss that is not a number, and say on which slides."""

from __future__ import annotations

import torch
from ignite.engine import Engine
from monai.engines import IterationEvents

from scangen_bundle.errors import InputError


class FiniteLossHandler:
    """End training before a non-finite loss reaches the weights; the last checkpoint stays as it is.

    Attach it after the handlers that change the loss. The batch has to be a dictionary with `slide_id`.
    """

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        loss = engine.state.output["loss"]
        if torch.isfinite(loss):
            return
        slides = ", ".join(engine.state.batch["slide_id"])
        output = engine.state.output
        losses = {name: float(value.detach()) for name, value in output.items() if name.startswith("loss")}
        raise InputError(
            f"training, epoch {engine.state.epoch}, iteration {engine.state.iteration}",
            f"the loss is not finite ({losses}) on the batch of slides {slides}",
            "look at these bags' features, or lower the learning rate; the last checkpoint is intact",
        )
