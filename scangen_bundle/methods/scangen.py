"""ScanGen: scans of one specimen attract, specimens on one scanner repel."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from scangen_bundle.methods.method import Batch, Method, Needs, register

LEVELS = ("slide", "patch_mean", "registered")
DISTANCES = ("cosine", "euclidean")
REPEL = ("scanner", "label")


def pair_masks(
    specimen: torch.Tensor, scanner: torch.Tensor, label: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Which unordered pairs of a batch attract and which repel each other.

    Args:
        specimen, scanner: [B] integers.
        label: [B] integers, -1 = unlabelled; with it only specimens of two different known labels repel each other.

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
        labelled = label >= 0
        both_labelled = labelled[:, None] & labelled[None]
        repelled = repelled & both_labelled & (label[:, None] != label[None])
    return attracted, repelled


def pairwise_distance(embedding: torch.Tensor, distance: str) -> torch.Tensor:
    """Distance of each pair of rows [B, B]: 1 - cos, or Euclidean.

    Its gradient is finite for equal rows, and for the cosine of a row of zeros, which has no direction, it is zero.
    """
    if distance == "cosine":
        length = torch.linalg.vector_norm(embedding, dim=1, keepdim=True)
        smallest = torch.finfo(embedding.dtype).tiny
        unit = torch.where(length > 0, embedding / length.clamp_min(smallest), 0)
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


class ScanGenLoss:
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
    """

    def __init__(
        self,
        alpha: float = 0.16,
        margin: float = 1.0,
        distance: str = "cosine",
        repel: str = "scanner",
    ) -> None:
        if not 0 <= alpha <= 1:
            raise ValueError(f"expected alpha from 0 to 1, got {alpha}")
        if margin <= 0:
            raise ValueError(f"expected margin > 0, got {margin}")
        if distance not in DISTANCES:
            raise ValueError(f"expected distance to be one of {DISTANCES}, got {distance!r}")
        if repel not in REPEL:
            raise ValueError(f"expected repel to be one of {REPEL}, got {repel!r}")
        self.alpha, self.margin, self.distance, self.repel = alpha, margin, distance, repel

    def terms(
        self, embedding: torch.Tensor, specimen: torch.Tensor, scanner: torch.Tensor, label: torch.Tensor | None = None
    ) -> ScanGenTerms:
        """The loss with its parts and pair counts; arguments as of a call."""
        if self.repel == "label" and label is None:
            raise ValueError("repel='label' needs the labels")
        # Under autocast a product of float32 would be computed in half precision again.
        with torch.autocast(device_type=embedding.device.type, enabled=False):
            z = embedding if embedding.dtype in (torch.float32, torch.float64) else embedding.float()
            attracted, repelled = pair_masks(specimen, scanner, label if self.repel == "label" else None)
            distance = pairwise_distance(z, self.distance)
            attraction = _masked_mean(distance.square(), attracted)
            repulsion = _masked_mean((self.margin - distance).clamp_min(0).square(), repelled)
            loss = (1 - self.alpha) * attraction + self.alpha * repulsion
        return ScanGenTerms(loss, attraction, repulsion, attracted.sum(), repelled.sum())

    def __call__(
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


@register
class ScanGen(Method):
    """The ScanGen loss on slide embeddings, as an additional term.

    Scans of one specimen lie near each other from the start, so attraction is small beside repulsion: this weight and alpha,
    far from the 0.16 of `ScanGenLoss`, make both count (docs/results/evidence.md).

    Args:
        alpha, margin, distance, repel: see `ScanGenLoss`.
        weight, warmup_epochs: see `Method`.
        level: "slide": the slide embedding; "patch_mean": the mean over a bag's projected tiles; "registered": each projected
            tile that lies at the same `coords` in scans of one specimen, for bags whose coordinates correspond over scanners.
        max_places: "registered" takes at most so many places of a specimen, evenly spaced in the order of their coordinates,
            since pairs grow with the square of their number.
    """

    name = "scangen"
    title = "scans of one specimen attract, specimens on one scanner repel"
    needs = Needs(pairs=True)

    def __init__(
        self,
        alpha: float = 0.001,
        margin: float = 1.0,
        distance: str = "cosine",
        repel: str = "scanner",
        weight: float = 100.0,
        warmup_epochs: float = 3.0,
        level: str = "slide",
        max_places: int = 32,
    ) -> None:
        super().__init__(weight, warmup_epochs)
        if level not in LEVELS:
            raise ValueError(f"expected level to be one of {LEVELS}, got {level!r}")
        self.loss = ScanGenLoss(alpha, margin, distance, repel)
        self.level, self.max_places = level, max_places
        self.embedding = "embedding" if level == "slide" else "net"

    def embed(self, output: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, Batch]:
        if self.level == "patch_mean":
            real = batch["mask"].unsqueeze(-1)
            output = (output * real).sum(dim=1) / real.sum(dim=1).clamp_min(1)
        elif self.level == "registered":
            return registered_tiles(output, batch, self.max_places)
        return output, batch

    def terms(self, embedding: torch.Tensor, logits: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        terms = self.loss.terms(embedding, batch["specimen"], batch["scanner"], batch.get("label"))
        return {"scangen": terms.loss, "pairs_attracted": terms.attracted, "pairs_repelled": terms.repelled}


@register
class ScanGenPaper(ScanGen):
    """ScanGen with the published re-implementation's settings: weight 1, alpha 0.16, margin 1, no warm-up.

    Cosine distance is that of L2-normalised embeddings. Its embedding has 96 units, which is `MaskedMILModel`'s own width.

    Args:
        weight, alpha, margin: see `ScanGen`.
    """

    name = "scangen-paper"
    title = "ScanGen with the published settings"

    def __init__(self, weight: float = 1.0, alpha: float = 0.16, margin: float = 1.0) -> None:
        super().__init__(alpha, margin, weight=weight, warmup_epochs=0.0)


def registered_tiles(tiles: torch.Tensor, batch: Batch, max_places: int) -> tuple[torch.Tensor, Batch]:
    """Tiles that lie at one place of a specimen on at least two of its scans; each place counts as a specimen.

    Args:
        tiles: [B, N, E].
        batch: `specimen`, `scanner`, `label` [B], `mask` [B, N], `coords` [B, N, 2].
        max_places: at most so many places of a specimen.

    Returns:
        [M, E] and the `specimen` (a number of the place, the same in every process), `scanner`, `label` [M] of each; M may
        be 0.
    """
    specimen, mask = batch["specimen"], batch["mask"]
    specimen_of_tile = specimen[:, None, None].expand(-1, tiles.shape[1], 1)
    place = torch.cat([specimen_of_tile, batch["coords"]], dim=2)[mask]
    # places in the order of specimen and coordinates, with the number of scans at each
    unique, of_tile, count = place.unique(dim=0, return_inverse=True, return_counts=True)
    shared = count >= 2
    keep = torch.zeros_like(shared)
    for number in specimen.unique():
        places = torch.nonzero(shared & (unique[:, 0] == number)).flatten()
        step = max(1.0, len(places) / max_places)
        evenly = torch.arange(min(len(places), max_places), device=places.device) * step
        keep[places[evenly.long()]] = True
    taken = keep[of_tile]
    # 22 bits for each coordinate: a slide is less than 4 million px wide
    number = (place[:, 0] << 44) + (place[:, 1] << 22) + place[:, 2]
    rows = {"specimen": number[taken]}
    for name in ("scanner", "label"):
        of_tiles = batch[name][:, None].expand(-1, tiles.shape[1])
        rows[name] = of_tiles[mask][taken]
    return tiles[mask][taken], rows
