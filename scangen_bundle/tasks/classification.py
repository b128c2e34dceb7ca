"""Classification: one class of C for each scan; some scans may have no label."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from scangen_bundle.tasks.task import Task, register


class MaskedCrossEntropy(nn.Module):
    """Cross-entropy over the labelled scans of a batch; a scan with label -1 counts for nothing.

    The mean is over the number of labelled scans, also with class weights. A batch without any label gives zero, with a
    gradient of zero.

    Args:
        class_weights: weight of each class, for example `data.class_weights`; None weighs all alike.
        gather: divide by the mean number of labelled scans per process. Under DistributedDataParallel, which averages
            gradients, the result then equals that of one process with the whole batch, however its labels are spread.
    """

    def __init__(self, class_weights: Sequence[float] | None = None, gather: bool = False) -> None:
        super().__init__()
        weights = None if class_weights is None else torch.as_tensor(class_weights, dtype=torch.float32)
        self.gather = gather
        self.class_weights: torch.Tensor | None
        self.register_buffer("class_weights", weights)

    def forward(self, pred: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy, a scalar.

        Args:
            pred: [B, C] logits.
            label: [B] integers from -1 to C - 1.
        """
        weights = None if self.class_weights is None else self.class_weights.to(pred.device)
        losses = nn.functional.cross_entropy(pred.float(), label, weights, ignore_index=-1, reduction="none")
        labelled = (label >= 0).sum().to(losses.dtype)
        if self.gather and torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(labelled)
            return losses.sum() * torch.distributed.get_world_size() / labelled.clamp_min(1)
        return losses.sum() / labelled.clamp_min(1)


@register
class Classification(Task):
    """Cross-entropy in training, softmax in prediction."""

    name = "classification"
    title = "one class for each scan"

    def loss(self, class_weights: Sequence[float] | None = None, gather: bool = False) -> nn.Module:
        """See `MaskedCrossEntropy`."""
        return MaskedCrossEntropy(class_weights, gather)

    def activation(self, logits: torch.Tensor) -> torch.Tensor:
        """Probabilities [B, C]: the softmax, in float64 so that every caller gets the same number."""
        return torch.softmax(logits.double(), dim=1)

    def columns(self, predictions: torch.Tensor) -> dict[str, list[float]]:
        """`probability` of class 1 for two classes, `probability_<c>` of each for more."""
        if predictions.shape[1] == 2:
            return {"probability": predictions[:, 1].tolist()}
        return {f"probability_{c}": predictions[:, c].tolist() for c in range(predictions.shape[1])}
