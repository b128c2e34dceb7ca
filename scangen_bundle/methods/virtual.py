"""Virtual scanners in feature space: each training bag looks as if another scanner, which does not exist, had made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from scangen_bundle.errors import InputError
from scangen_bundle.methods.method import Method, Needs, Scan, register

FEWEST_TILES = 32  # below which a map would be these tiles' rather than the virtual scanner's


@register
class Virtual(Method):
    """Training bags moved by a random mixture of virtual scanners; the part of our own method that needs no pairs.

    A virtual scanner changes colour, sharpness and noise of a tile's pixels (`slides.VirtualScanner`). Some tiles of each
    slide are encoded as they are and under every virtual scanner (`run banking`). For each virtual scanner k the change of
    the features is fitted by an offset and a linear map in the space of the first principal components P of the tiles:
    `x_k - x ~ b_k + (x - m) P S_k P'`, by least squares with a ridge. In training a bag moves by `u` times one member and
    `v` times another, u and v uniform from 0 to `strength` and to half of it; one draw per bag, epoch and view. Only
    training patients' tiles on training scanners take part. Nothing is done at inference, no scanner is named, and one
    training scanner suffices.

    Args:
        probability: share of the bags that are moved.
        strength: largest factor of a member; 1 is the virtual scanner itself.
        rank: principal components.
        ridge: in units of the components' mean variance.
        views: copies of each bag in a batch, each moved by itself; 2 lets a term such as `agree` work where each glass was
            scanned once.
    """

    name = "virtual"
    title = "training bags moved by virtual scanners"
    needs = Needs(virtual=True)

    def __init__(
        self,
        probability: float = 0.8,
        strength: float = 1.5,
        rank: int = 48,
        ridge: float = 0.3,
        views: int = 1,
    ) -> None:
        super().__init__()
        self.mean: torch.Tensor
        self.basis: torch.Tensor
        self.offsets: torch.Tensor
        self.maps: torch.Tensor
        if not 0 <= probability <= 1 or strength < 0 or rank < 1 or ridge <= 0 or views < 1:
            raise ValueError("expected a probability, strength >= 0, rank >= 1, ridge > 0 and views >= 1")
        self.probability, self.strength, self.rank, self.ridge = probability, strength, rank, ridge
        self.views = views

    def build(self, features: int, embedding: int, classes: int) -> None:
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("basis", torch.zeros(features, 0))
        self.register_buffer("offsets", torch.zeros(0, features))
        self.register_buffer("maps", torch.zeros(0, 0, 0))

    def fit(self, scans: Sequence[Scan]) -> None:
        """Fit offsets and maps.

        Raises:
            InputError: the training scans have no tiles under virtual scanners, or too few.
        """
        banks = [scan.virtual() for scan in scans if scan.virtual is not None]
        count = sum(len(plain) for plain, _ in banks)
        if count < FEWEST_TILES:
            problem = f"training scans have {count} tiles under virtual scanners, {FEWEST_TILES} are needed"
            raise InputError("method virtual", problem, "make them first: run banking, with the same --dataset_dir")
        plain, moved = zip(*banks, strict=True)
        mean, basis, offsets, maps = fit_bank(
            torch.cat(plain).double(), torch.cat(moved, dim=1).double(), self.rank, self.ridge
        )
        self.mean, self.basis = mean.float(), basis.float()
        self.offsets, self.maps = offsets.float(), maps.float()

    def augment(self, item: dict[str, Any], generator: torch.Generator) -> dict[str, Any]:
        draws = torch.rand(3, generator=generator)
        members = torch.randint(len(self.offsets), (2,), generator=generator)
        if draws[0] >= self.probability:
            return item
        factors = draws[1:] * torch.tensor([self.strength, self.strength / 2])
        image = item["image"]
        weights = factors.to(self.offsets)
        offset = (weights @ self.offsets[members]).to(image)
        change = (weights[:, None, None] * self.maps[members]).sum(dim=0).to(image)
        projected = (image - self.mean.to(image)) @ self.basis.to(image)
        return {**item, "image": image + offset + projected @ change @ self.basis.t().to(image)}


def fit_bank(
    plain: torch.Tensor, moved: torch.Tensor, rank: int, ridge: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Offset and low-rank map of each virtual scanner, by ridge regression.

    Args:
        plain: [M, D] float64 features of tiles.
        moved: [K, M, D] of the same tiles under each virtual scanner.
        rank: R, at most M - 1.
        ridge: in units of the components' mean variance.

    Returns:
        Mean [D] and principal directions [D, R] of the tiles; offsets [K, D] and maps [K, R, R].
    """
    mean = plain.mean(dim=0)
    centred = plain - mean
    rank = min(rank, len(plain) - 1, plain.shape[1])
    basis = torch.linalg.svd(centred, full_matrices=False).Vh[:rank].t().contiguous()
    projected = centred @ basis
    change = moved - plain
    offsets = change.mean(dim=1)
    gram = projected.t() @ projected
    damping = ridge * gram.diagonal().mean() * torch.eye(rank, dtype=gram.dtype)
    target = projected.t() @ ((change - offsets[:, None]) @ basis)
    return mean, basis, offsets, torch.linalg.solve(gram + damping, target)
