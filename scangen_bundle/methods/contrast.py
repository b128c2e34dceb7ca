"""Contrastive losses over the cosine similarities of a batch, for the methods that use them."""

from __future__ import annotations

import torch
from torch import nn


def masked_info_nce(
    embedding: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Mean over positive pairs of `-log exp(s_ij / T) / (exp(s_ij / T) + sum over negatives k of i of exp(s_ik / T))`.

    Args:
        embedding: [B, E].
        positive, negative: [B, B] bool; row i is the anchor. Neither holds the diagonal.
        temperature: T.

    Returns:
        A scalar; 0 without a positive pair.
    """
    unit = nn.functional.normalize(embedding, dim=1)
    similarity = unit @ unit.t() / temperature
    against = similarity.masked_fill(~negative, -torch.inf).logsumexp(dim=1, keepdim=True)
    losses = torch.logaddexp(similarity, against.expand_as(similarity)) - similarity
    return losses[positive].sum() / positive.sum().clamp_min(1)


def supervised_contrast(embedding: torch.Tensor, label: torch.Tensor, temperature: float) -> torch.Tensor:
    """The supervised contrastive loss, L_out of P. Khosla et al., NeurIPS 2020 (arXiv:2004.11362), equation 2.

    Args:
        embedding: [B, E].
        label: [B]; rows of one label are positives of each other.
        temperature: T.

    Returns:
        Mean over the anchors that have a positive; 0 if none has.
    """
    unit = nn.functional.normalize(embedding, dim=1)
    others = ~torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    similarity = unit @ unit.t() / temperature
    log_share = similarity - similarity.masked_fill(~others, -torch.inf).logsumexp(dim=1, keepdim=True)
    positive = (label[:, None] == label[None]) & others
    count = positive.sum(dim=1)
    losses = -(log_share * positive).sum(dim=1) / count.clamp_min(1)
    return losses[count > 0].sum() / (count > 0).sum().clamp_min(1)
