"""The ScanGen loss: scans of one specimen attract, specimens on one scanner repel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

DISTANCES = ("cosine", "euclidean")
REPEL = ("scanner", "label")


def pair_masks(
    specimen: torch.Tensor, scanner: torch.Tensor, label: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Which unordered pairs of a batch attract and which repel each other.

    Args:
        specimen, scanner: [B] integers.
        label: [B] integers, -1 = unlabelled. Given, only specimens of two different known labels repel each other.

    Returns:
        Two bool [B, B] masks, True above the diagonal only: same specimen and another scanner; another specimen and the
        same scanner.
    """
    same_specimen = specimen[:, None] == specimen[None]
    same_scanner = scanner[:, None] == scanner[None]
    above = torch.ones_like(same_specimen).triu(diagonal=1)
    attracted = same_specimen & ~same_scanner & above
    repelled = ~same_specimen & same_scanner & above
    if label is not None:
        known = label >= 0
        repelled = repelled & (label[:, None] != label[None]) & known[:, None] & known[None]
    return attracted, repelled


def pairwise_distance(embedding: torch.Tensor, distance: str) -> torch.Tensor:
    """Distance of each pair of rows [B, B]: 1 - cos, or Euclidean.

    Its gradient is finite for equal rows, and for the cosine of a row of zeros, which has no direction, it is zero.
    """
    if distance == "cosine":
        length = torch.linalg.vector_norm(embedding, dim=1, keepdim=True)
        unit = torch.where(length > 0, embedding / length.clamp_min(torch.finfo(embedding.dtype).tiny), 0)
        return 1 - unit @ unit.T
    return torch.cdist(embedding, embedding, compute_mode="donot_use_mm_for_euclid_dist")


@dataclass(frozen=True)
class ScanGenTerms:
    """The loss and what it is made of.

    Attributes:
        loss: (1 - alpha) * attraction + alpha * repulsion.
        attraction, repulsion: means over their pairs, zero where there is none.
        attracted, repelled: numbers of pairs.
    """

    loss: torch.Tensor
    attraction: torch.Tensor
    repulsion: torch.Tensor
    attracted: torch.Tensor
    repelled: torch.Tensor


class ScanGenLoss(nn.Module):
    """Contrastive loss on slide embeddings z over the unordered pairs of a batch.

    With d_ij = 1 - cos(z_i, z_j), A the pairs of one specimen on two scanners and R the pairs of two specimens on one
    scanner:

        L = (1 - alpha) * mean_A d^2 + alpha * mean_R max(0, margin - d)^2

    G. Carloni et al., MedAGI at MICCAI 2025, arXiv:2507.22092. Repelling within one scanner is the point: a negative from
    another scanner could be told apart by its scanner alone. The squared hinge, alpha = 0.16 and margin = 1 follow a public
    re-implementation; Euclidean distance, `repel="label"` and means over each kind of pair (so that alpha does not depend on
    the batch's shape) are our choices. Half-precision embeddings are computed in float32.

    A batch without pairs of a kind contributes zero for it, with a gradient of zero. Unlabelled scans take part.

    Args:
        alpha: weight of the repulsion, 0 to 1.
        margin: distance beyond which specimens no longer repel each other.
        distance: "cosine" or "euclidean".
        repel: "scanner": all specimens of a scanner; "label": only specimens of different known labels.
        gather: use the embeddings of all processes, with gradient. Under DistributedDataParallel, which averages gradients,
            the result equals that of one process with the whole batch.
    """

    def __init__(
        self,
        alpha: float = 0.16,
        margin: float = 1.0,
        distance: str = "cosine",
        repel: str = "scanner",
        gather: bool = False,
    ) -> None:
        super().__init__()
        if not 0 <= alpha <= 1:
            raise ValueError(f"expected alpha from 0 to 1, got {alpha}")
        if margin <= 0:
            raise ValueError(f"expected margin > 0, got {margin}")
        if distance not in DISTANCES:
            raise ValueError(f"expected distance to be one of {DISTANCES}, got {distance!r}")
        if repel not in REPEL:
            raise ValueError(f"expected repel to be one of {REPEL}, got {repel!r}")
        self.alpha, self.margin, self.distance, self.repel, self.gather = alpha, margin, distance, repel, gather

    def terms(
        self, embedding: torch.Tensor, specimen: torch.Tensor, scanner: torch.Tensor, label: torch.Tensor | None = None
    ) -> ScanGenTerms:
        """The loss with its parts and pair counts; arguments as `forward`."""
        if self.repel == "label" and label is None:
            raise ValueError("repel='label' needs the labels")
        # Under autocast a product of float32 would be computed in half precision again.
        with torch.autocast(device_type=embedding.device.type, enabled=False):
            z = embedding if embedding.dtype in (torch.float32, torch.float64) else embedding.float()
            if self.gather and torch.distributed.is_available() and torch.distributed.is_initialized():
                z, specimen, scanner, label = _gather_batch(z, specimen, scanner, label)
            attracted, repelled = pair_masks(specimen, scanner, label if self.repel == "label" else None)
            distance = pairwise_distance(z, self.distance)
            attraction = _masked_mean(distance.square(), attracted)
            repulsion = _masked_mean((self.margin - distance).clamp_min(0).square(), repelled)
            loss = (1 - self.alpha) * attraction + self.alpha * repulsion
        return ScanGenTerms(loss, attraction, repulsion, attracted.sum(), repelled.sum())

    def forward(
        self, embedding: torch.Tensor, specimen: torch.Tensor, scanner: torch.Tensor, label: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The loss of a batch.

        Args:
            embedding: [B, E] slide embeddings.
            specimen, scanner: [B] integers.
            label: [B] integers, -1 = unlabelled; needed for `repel="label"`.

        Returns:
            A scalar.
        """
        return self.terms(embedding, specimen, scanner, label).loss


def _masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of `values` where `mask`; zero, still part of the graph, where it is nowhere."""
    return (values * mask).sum() / mask.sum().clamp_min(1)


def _gather_batch(
    z: torch.Tensor, specimen: torch.Tensor, scanner: torch.Tensor, label: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Concatenate the processes' batches, which may differ in size, in the order of their ranks."""
    from torch import distributed
    from torch.distributed.nn.functional import all_gather

    count = torch.tensor([len(z)], device=z.device)
    counts = [torch.zeros_like(count) for _ in range(distributed.get_world_size())]
    distributed.all_gather(counts, count)
    sizes = [int(size) for size in counts]
    fill = max(sizes) - len(z)

    def padded(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, x.new_zeros(fill, *x.shape[1:])])

    def joined(parts: list[torch.Tensor]) -> torch.Tensor:
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def gathered(x: torch.Tensor) -> torch.Tensor:
        parts = [torch.zeros_like(padded(x)) for _ in sizes]
        distributed.all_gather(parts, padded(x).contiguous())
        return joined(parts)

    embeddings = joined(list(all_gather(padded(z).contiguous())))
    return embeddings, gathered(specimen), gathered(scanner), None if label is None else gathered(label)
