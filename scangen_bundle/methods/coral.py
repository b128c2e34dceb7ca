"""CORAL: every scanner's features whitened, and coloured as those of the training scanners."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from scangen_bundle.methods.method import Scan, register
from scangen_bundle.methods.scanners import ScannerMethod
from scangen_bundle.methods.standardise import by_scanner, check_patients, moments

TILES_PER_SCAN = 256


@register
class Coral(ScannerMethod):
    """Mean and covariance of every scanner made those of the training scanners (B. Sun et al., AAAI 2016, arXiv:1511.05547).

    With a scanner's mean m and covariance C: `x -> (x - m) C^-1/2 C0^1/2 + m0`, m0 and C0 the means over the training
    scanners. Covariances live in the space of the training scans' first `rank` principal components and are shrunk towards
    a multiple of the identity; what lies outside that space is shifted to the mean alone. Labels take no part.

    Args:
        rank: principal components; fewer where there are fewer features or tiles.
        shrink: share of the identity in each covariance, 0 to 1.
        fewest_patients: of each scanner.
    """

    name = "coral"
    title = "every scanner's features brought to one mean and covariance"

    def __init__(self, rank: int = 128, shrink: float = 0.1, fewest_patients: int = 5) -> None:
        super().__init__(fewest_patients)
        self.mean: torch.Tensor
        self.target_mean: torch.Tensor
        self.basis: torch.Tensor
        self.maps: torch.Tensor
        self.colour: torch.Tensor
        if rank < 1 or not 0 < shrink <= 1:
            raise ValueError(f"expected rank of at least 1 and shrink above 0, at most 1, got {rank} and {shrink}")
        self.rank, self.shrink = rank, shrink

    def build(self, features: int, embedding: int, classes: int) -> None:
        self.register_buffer("mean", torch.zeros(0, features))
        self.register_buffer("target_mean", torch.zeros(features))
        self.register_buffer("basis", torch.zeros(features, 0))
        self.register_buffer("maps", torch.zeros(0, 0, 0))
        self.register_buffer("colour", torch.zeros(0, 0))

    def fit(self, scans: Sequence[Scan]) -> None:
        training = by_scanner([scan for scan in scans if not scan.held_out])
        means = torch.stack([moments(group, TILES_PER_SCAN)[0] for group in training.values()])
        self.target_mean = means.mean(dim=0)
        centred = [_tiles(group) - mean for group, mean in zip(training.values(), means, strict=True)]
        self.basis = _principal(torch.cat(centred), self.rank)
        covariances = [shrunk_covariance(rows @ self.basis, self.shrink) for rows in centred]
        self.colour = _power(torch.stack(covariances).mean(dim=0), 0.5)
        self._add(scans)

    def adapt(self, scans: Sequence[Scan]) -> None:
        """Add the moments of new scanners.

        Raises:
            InputError: a scanner has scans of fewer than `fewest_patients` patients.
        """
        for group in by_scanner(scans).values():
            check_patients(group, self.fewest_patients, "covariance")
        self._add(scans)

    def _add(self, scans: Sequence[Scan]) -> None:
        for scanner, group in by_scanner(scans).items():
            mean = moments(group, TILES_PER_SCAN)[0].to(self.mean)
            projected = (_tiles(group).to(self.basis) - mean) @ self.basis
            whiten = _power(shrunk_covariance(projected, self.shrink), -0.5)
            change = whiten @ self.colour - torch.eye(len(whiten), device=whiten.device)
            self.mean = torch.cat([self.mean, mean[None]])
            self.maps = torch.cat([self.maps.reshape(-1, *change.shape), change[None]])
            self.scanners.extend([scanner])

    def transform(self, x: torch.Tensor, mask: torch.Tensor | None, scanner: torch.Tensor | None) -> torch.Tensor:
        mean, change = self.scanners(scanner, self.mean), self.scanners(scanner, self.maps)
        centred = x - mean.unsqueeze(1)
        return centred + (centred @ self.basis) @ change @ self.basis.t() + self.target_mean


def shrunk_covariance(centred: torch.Tensor, shrink: float) -> torch.Tensor:
    """Covariance [R, R] of centred rows [n, R], shrunk: (1 - shrink) C + shrink * mean variance * identity."""
    covariance = centred.t() @ centred / len(centred)
    scale = covariance.diagonal().mean().clamp_min(torch.finfo(covariance.dtype).tiny)
    identity = torch.eye(len(covariance), device=covariance.device)
    return (1 - shrink) * covariance + shrink * scale * identity


def _tiles(scans: Sequence[Scan]) -> torch.Tensor:
    return torch.cat([scan.read(TILES_PER_SCAN) for scan in scans])


def _principal(centred: torch.Tensor, rank: int) -> torch.Tensor:
    """The first principal directions [D, R] of centred rows [n, D]."""
    rows = centred.double()
    values, vectors = torch.linalg.eigh(rows.t() @ rows / len(rows))
    keep = min(rank, len(centred), int((values > values[-1] * 1e-9).sum()))
    return vectors[:, -keep:].flip(1).float().contiguous()


def _power(matrix: torch.Tensor, exponent: float) -> torch.Tensor:
    """A power of a symmetric positive matrix."""
    values, vectors = torch.linalg.eigh(matrix.double())
    return ((vectors * values.clamp_min(1e-12) ** exponent) @ vectors.t()).to(matrix)
