"""InfoNCE with negatives of the same scanner."""

from __future__ import annotations

import torch

from scangen_bundle.methods.contrast import masked_info_nce
from scangen_bundle.methods.method import Batch, Method, Needs, register


@register
class InfoNce(Method):
    """A scan must find its specimen on another scanner among specimens on its own scanner.

    InfoNCE (A. van den Oord et al., arXiv:1807.03748) over slide embeddings, with cosine similarity. All negatives of a scan
    are of its own scanner: one of another scanner could be told apart by the scanner alone. SPECTRA (public code of 2026)
    takes its candidates from one condition for the same reason.

    Args:
        temperature: of the similarities.
        weight: of the term.
        warmup_epochs: over which the weight rises from 0.
    """

    name = "infonce"
    title = "a scan finds its specimen among specimens on its own scanner"
    needs = Needs(pairs=True)

    def __init__(self, temperature: float = 0.07, weight: float = 0.1, warmup_epochs: float = 3.0) -> None:
        super().__init__(weight, warmup_epochs)
        if temperature <= 0:
            raise ValueError(f"expected temperature above 0, got {temperature}")
        self.temperature = temperature

    def terms(self, embedding: torch.Tensor, logits: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        specimen, scanner = batch["specimen"], batch["scanner"]
        same_specimen = specimen[:, None] == specimen[None]
        positive = same_specimen & ~torch.eye(len(specimen), dtype=torch.bool, device=specimen.device)
        negative = ~same_specimen & (scanner[:, None] == scanner[None])
        return {"infonce": masked_info_nce(embedding, positive, negative, self.temperature)}
