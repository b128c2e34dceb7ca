"""DANN: a classifier of scanners reads the slide embedding, and the network learns to leave it nothing to read."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from scangen_bundle.methods.method import Batch, Method, register

SEED = 20160117  # of the classifier's first weights, which must not depend on the network's


class ReverseGradient(torch.autograd.Function):
    """Identity forwards; backwards the gradient times -1."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return -gradient


@register
class Dann(Method):
    """Domain-adversarial training (Y. Ganin et al., JMLR 17(59), 2016).

    A small classifier predicts the scanner from the slide embedding through a gradient reversal. Its cross-entropy is the
    term: the classifier descends it, the network ascends it. Its weights travel with the network's, unused at inference.

    Args:
        weight: of the term.
        warmup_epochs: over which the weight rises from 0, in place of the paper's sigmoid schedule.
        width: hidden units of the classifier.
        max_scanners: most scanners of a cohort.
    """

    name = "dann"
    title = "no scanner can be read from the slide embedding"

    def __init__(
        self, weight: float = 0.1, warmup_epochs: float = 5.0, width: int = 64, max_scanners: int = 32
    ) -> None:
        super().__init__(weight, warmup_epochs)
        self.width, self.max_scanners = width, max_scanners

    def build(self, features: int, embedding: int, classes: int) -> None:
        layers = [
            nn.utils.skip_init(nn.Linear, embedding, self.width),
            nn.utils.skip_init(nn.Linear, self.width, self.max_scanners),
        ]
        generator = torch.Generator().manual_seed(SEED)
        for layer in layers:
            for parameter in layer.parameters():
                if parameter.dim() == 2:
                    nn.init.kaiming_uniform_(parameter, nonlinearity="relu", generator=generator)
                else:
                    nn.init.zeros_(parameter)
        self.classifier = nn.Sequential(layers[0], nn.ReLU(), layers[1])

    def terms(self, embedding: torch.Tensor, logits: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        """The classifier's cross-entropy.

        Raises:
            ValueError: the cohort has more than `max_scanners` scanners.
        """
        scanner = batch["scanner"]
        if int(scanner.max()) >= self.max_scanners:
            raise ValueError(f"the cohort has over {self.max_scanners} scanners; raise max_scanners of the method dann")
        predicted = self.classifier(ReverseGradient.apply(embedding))
        return {"dann": nn.functional.cross_entropy(predicted, scanner)}
