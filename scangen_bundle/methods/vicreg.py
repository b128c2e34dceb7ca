"""VICReg on slide embeddings: scans of a specimen lie together, and no dimension dies."""

from __future__ import annotations

import torch

from scangen_bundle.methods.method import Batch, Method, Needs, register

EPSILON = 1e-4  # of the standard deviation, as in the paper


def specimen_means(embedding: torch.Tensor, specimen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean embedding of each specimen [S, E], and the specimen's row of each scan [B]."""
    _, row = torch.unique(specimen, return_inverse=True)
    count = torch.bincount(row).to(embedding)
    sums = torch.zeros(len(count), embedding.shape[1], dtype=embedding.dtype, device=embedding.device)
    return sums.index_add(0, row, embedding) / count[:, None], row


@register
class Vicreg(Method):
    """Variance, invariance and covariance (A. Bardes et al., ICLR 2022, arXiv:2105.04906) of slide embeddings.

    Invariance is the mean squared distance of a scan to the mean of its specimen. Variance is `relu(1 - SD)` of the
    specimens' means, averaged over dimensions. Covariance is the sum of squared off-diagonal entries of the covariance of
    the specimens' means, divided by the dimension. The paper compares two views; any number of scans is ours.

    Args:
        weight: of all three together.
        warmup_epochs: over which the weight rises from 0.
        variance, covariance: factors relative to invariance.
    """

    name = "vicreg"
    title = "slide embeddings of a specimen lie together, and no dimension dies"
    needs = Needs(pairs=True)

    def __init__(
        self, weight: float = 0.1, warmup_epochs: float = 3.0, variance: float = 1.0, covariance: float = 0.04
    ) -> None:
        super().__init__(weight, warmup_epochs)
        self.variance, self.covariance = variance, covariance

    def terms(self, embedding: torch.Tensor, logits: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        means, row = specimen_means(embedding, batch["specimen"])
        invariance = (embedding - means[row]).square().sum(dim=1).mean()
        if len(means) < 2:
            return {"vicreg": invariance}
        centred = means - means.mean(dim=0)
        deviation = (centred.square().sum(dim=0) / (len(means) - 1) + EPSILON).sqrt()
        covariance = centred.t() @ centred / (len(means) - 1)
        off_diagonal = covariance.square().sum() - covariance.diagonal().square().sum()
        loss = invariance + self.variance * torch.relu(1 - deviation).mean()
        return {"vicreg": loss + self.covariance * off_diagonal / embedding.shape[1]}
