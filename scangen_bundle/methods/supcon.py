"""SupCon: scans of one specimen are positives of each other, all other scans negatives."""

from __future__ import annotations

import torch

from scangen_bundle.methods.contrast import supervised_contrast
from scangen_bundle.methods.method import Batch, Method, Needs, register


@register
class SupCon(Method):
    """Supervised contrastive loss (P. Khosla et al., NeurIPS 2020) on slide embeddings, with the specimen as class.

    Args:
        temperature: of the similarities.
        weight: of the term.
        warmup_epochs: over which the weight rises from 0.
    """

    name = "supcon"
    title = "scans of a specimen attract, all others repel"
    needs = Needs(pairs=True)

    def __init__(self, temperature: float = 0.1, weight: float = 0.1, warmup_epochs: float = 3.0) -> None:
        super().__init__(weight, warmup_epochs)
        if temperature <= 0:
            raise ValueError(f"expected temperature above 0, got {temperature}")
        self.temperature = temperature

    def terms(self, embedding: torch.Tensor, logits: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        return {"supcon": supervised_contrast(embedding, batch["specimen"], self.temperature)}
