"""GroupDRO: scanners on which the task is hard weigh more."""

from __future__ import annotations

import torch

from scangen_bundle.methods.method import Batch, Method, register
from scangen_bundle.methods.risks import scanner_risks


@register
class GroupDro(Method):
    """Distributionally robust loss over scanners (S. Sagawa et al., ICLR 2020, arXiv:1911.08731, algorithm 1).

    Each scanner has a weight q, which every batch multiplies by exp(step * risk). The term is `sum q * risk - mean risk` over
    the scanners of the batch, with q made to sum to 1 over them: added to the task's loss it moves the loss from the mean
    over scanners to the weighted one.

    Args:
        step: of the scanners' weights; the paper's eta_q.
        weight: of the term; 1 is the paper's method.
    """

    name = "groupdro"
    title = "scanners on which the task is hard weigh more"

    def __init__(self, step: float = 0.01, weight: float = 1.0) -> None:
        super().__init__(weight)
        self.log_weight: torch.Tensor
        if step < 0:
            raise ValueError(f"expected step of at least 0, got {step}")
        self.step = step
        self.register_buffer("log_weight", torch.zeros(0))

    def terms(self, embedding: torch.Tensor, logits: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        scanners, risks = scanner_risks(logits, batch["label"], batch["scanner"])
        if not len(risks):
            return {"groupdro": logits.sum() * 0}
        self._grow(int(scanners.max()) + 1)
        if torch.is_grad_enabled():
            self.log_weight[scanners] += self.step * risks.detach().to(self.log_weight)
        share = torch.softmax(self.log_weight[scanners], dim=0).to(risks)
        return {"groupdro": (share * risks).sum() - risks.mean()}

    def _grow(self, count: int) -> None:
        missing = count - len(self.log_weight)
        if missing > 0:
            self.log_weight = torch.cat([self.log_weight, self.log_weight.new_zeros(missing)])
