"""The task's loss on each scanner of a batch, for methods that balance scanners."""

from __future__ import annotations

import torch
from torch import nn


def scanner_risks(
    logits: torch.Tensor, label: torch.Tensor, scanner: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean cross-entropy of the labelled scans of each scanner.

    Args:
        logits: [B, C].
        label: [B] int64, -1 = unlabelled.
        scanner: [B] int64 from 0.

    Returns:
        The scanners that have a labelled scan, [S] int64 in ascending order, and their risks [S].
    """
    labelled = label >= 0
    losses = nn.functional.cross_entropy(logits[labelled], label[labelled], reduction="none")
    scanners, row = torch.unique(scanner[labelled], return_inverse=True)
    sums = torch.zeros(len(scanners), dtype=losses.dtype, device=losses.device).index_add(0, row, losses)
    return scanners, sums / torch.bincount(row, minlength=len(scanners)).clamp_min(1)
