"""Gradient clipping for MONAI's SupervisedTrainer."""

from __future__ import annotations

import torch
from ignite.engine import Engine
from monai.engines import IterationEvents


class GradientClipHandler:
    """Scale the gradient to a norm of at most `max_norm` before the optimizer's step.

    Works with mixed precision (the gradient is unscaled first) and with gradient accumulation (only the last
    micro-batch before a step is clipped, as the gradient is whole then).

    Args:
        max_norm: largest Euclidean norm over all parameters.
    """

    def __init__(self, max_norm: float) -> None:
        if max_norm <= 0:
            raise ValueError(f"expected max_norm > 0, got {max_norm}")
        self.max_norm = max_norm

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        steps, length = engine.accumulation_steps, engine.state.epoch_length
        position = (engine.state.iteration - 1) % length + 1
        if position % steps and position != length:
            return
        if engine.amp and engine.scaler is not None:
            engine.scaler.unscale_(engine.optimizer)
        torch.nn.utils.clip_grad_norm_(engine.network.parameters(), self.max_norm)
