"""Agree: scans of one specimen get one answer, whatever the scanner."""

from __future__ import annotations

import torch

from scangen_bundle.methods.method import Batch, Method, Needs, register


def specimen_pairs(specimen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows [P] and [P] of the unordered pairs of a batch that are of one specimen (two scans, or two views of one)."""
    same = (specimen[:, None] == specimen[None]).triu(diagonal=1)
    first, second = same.nonzero(as_tuple=True)
    return first, second


def symmetric_divergence(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """KL(p||q) + KL(q||p) of classes, [P]: the sum over classes of (p - q) (log p - log q).

    Args:
        first, second: logits [P, C].
    """
    log_first = torch.log_softmax(first, dim=1)
    log_second = torch.log_softmax(second, dim=1)
    difference = log_first.exp() - log_second.exp()
    return (difference * (log_first - log_second)).sum(dim=1)


@register
class Agree(Method):
    """Mean symmetric Kullback-Leibler divergence between the scans of a specimen, on the network's output.

    For two classes it is `(p_a - p_b) (l_a - l_b)`, with the logit l and the probability p of class 1. Consistency of outputs
    under changes of the input is an old idea (SimCons of SCORPION, arXiv:2507.20907, is its relative); this form is ours. A
    batch without a pair has 0.

    Args:
        weight: of the term.
        warmup_epochs: over which the weight rises from 0.
    """

    name = "agree"
    title = "scans of a specimen get one answer"
    needs = Needs(pairs=True)

    def __init__(self, weight: float = 3.0, warmup_epochs: float = 3.0) -> None:
        super().__init__(weight, warmup_epochs)

    def terms(self, embedding: torch.Tensor, logits: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        first, second = specimen_pairs(batch["specimen"])
        divergence = symmetric_divergence(logits[first], logits[second])
        return {"agree": divergence.sum() / max(1, len(first))}
