"""EMA: the network that is used is the moving average of the networks that training went through."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from scangen_bundle.methods.method import Method, register


@register
class Ema(Method):
    """An exponential moving average of the weights: `a <- d a + (1 - d) w` after each step of the optimizer.

    Polyak and Juditsky (1992), SIAM J. Control Optim. 30:838. Early averages forget faster: d is at most (1 + t) / (10 + t) at
    step t, as in TensorFlow's ExponentialMovingAverage. Validation, checkpoints and everything after training see the average;
    training itself continues from its own weights.

    Args:
        decay: d after many steps, 0 to 1.
    """

    name = "ema"
    title = "the moving average of the weights"

    def __init__(self, decay: float = 0.99) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"expected decay from 0 to below 1, got {decay}")
        self.decay = decay
        self._average: dict[str, torch.Tensor] = {}
        self._trained: dict[str, torch.Tensor] = {}
        self._steps = 0

    def start_epoch(self, network: nn.Module) -> None:
        _write(network, self._trained)
        self._trained = {}
        if not self._average:
            self._average = _copy(network)

    def after_step(self, network: nn.Module) -> None:
        self._steps += 1
        decay = min(self.decay, (1 + self._steps) / (10 + self._steps))
        with torch.no_grad():
            for name, weight in network.named_parameters():
                self._average[name].lerp_(weight, 1 - decay)

    def end_epoch(self, network: nn.Module) -> None:
        self._trained = _copy(network)
        _write(network, self._average)

    def training_state(self) -> dict[str, object]:
        return {"average": self._average, "trained": self._trained, "steps": self._steps}

    def load_training_state(self, state: Mapping[str, object], network: nn.Module) -> None:
        device = next(network.parameters()).device
        for name in ("average", "trained"):
            weights = {key: value.to(device) for key, value in state[name].items()}  # type: ignore[attr-defined]
            setattr(self, f"_{name}", weights)
        self._steps = int(state["steps"])  # type: ignore[call-overload]


def _copy(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in network.named_parameters()}


def _write(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for name, weight in weights.items():
            parameters[name].copy_(weight)
