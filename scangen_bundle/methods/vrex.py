"""V-REx: the task's loss must be the same on every scanner."""

from __future__ import annotations

import torch

from scangen_bundle.methods.method import Batch, Method, register
from scangen_bundle.methods.risks import scanner_risks


@register
class Vrex(Method):
    """Variance of the scanners' risks as a term of the loss (D. Krueger et al., ICML 2021, arXiv:2003.00688, equation 8).

    A batch with labelled scans of a single scanner has variance 0.

    Args:
        weight: of the term; the paper's beta.
        warmup_epochs: over which the weight rises from 0.
    """

    name = "vrex"
    title = "the same loss on every scanner"

    def __init__(self, weight: float = 1.0, warmup_epochs: float = 3.0) -> None:
        super().__init__(weight, warmup_epochs)

    def terms(self, embedding: torch.Tensor, logits: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        _, risks = scanner_risks(logits, batch["label"], batch["scanner"])
        variance = risks.var(correction=0) if len(risks) else logits.sum() * 0
        return {"vrex": variance}
