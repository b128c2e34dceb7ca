"""MMD: slide embeddings are distributed alike on every scanner."""

from __future__ import annotations

from itertools import combinations

import torch

from scangen_bundle.methods.method import Batch, Method, register

# Widths of the Gaussian kernels, as factors of the mean squared distance in the batch.
WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)


def squared_mmd(first: torch.Tensor, second: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Squared maximum mean discrepancy of two samples, a scalar (A. Gretton et al., JMLR 13:723, 2012, equation 5).

    The kernel is the mean of Gaussians exp(-d^2 / (width * scale)) over `WIDTHS`.

    Args:
        first: [n, E].
        second: [m, E].
        scale: squared distance that the widths are factors of.
    """
    return (
        _kernel(first, first, scale).mean()
        + _kernel(second, second, scale).mean()
        - 2 * _kernel(first, second, scale).mean()
    )


def _kernel(first: torch.Tensor, second: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    squared = (first[:, None] - second[None]).square().sum(dim=-1)
    return torch.stack([torch.exp(-squared / (width * scale)) for width in WIDTHS]).mean(dim=0)


@register
class Mmd(Method):
    """Mean over the pairs of scanners in a batch of the squared MMD of their slide embeddings.

    As in domain generalisation (H. Li et al., CVPR 2018, "MMD-AAE"), without its autoencoder. Widths follow the batch.

    Args:
        weight: of the term.
        warmup_epochs: over which the weight rises from 0.
    """

    name = "mmd"
    title = "slide embeddings distributed alike on every scanner"

    def __init__(self, weight: float = 1.0, warmup_epochs: float = 3.0) -> None:
        super().__init__(weight, warmup_epochs)

    def terms(self, embedding: torch.Tensor, logits: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        groups = [embedding[batch["scanner"] == scanner] for scanner in torch.unique(batch["scanner"])]
        # The mean squared distance of all pairs of rows is twice the sum of the variances.
        scale = (2 * embedding.detach().var(dim=0, correction=0).sum()).clamp_min(1e-12)
        distances = [squared_mmd(first, second, scale) for first, second in combinations(groups, 2)]
        return {"mmd": torch.stack(distances).mean() if distances else embedding.sum() * 0}
