"""Shrink: directions in which scanners differ more than slides do are shrunk."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from scangen_bundle.methods.method import Needs, Scan, register
from scangen_bundle.methods.paired import Removal, paired_deltas, slide_means

RIDGE = 1e-4  # of the covariance of slides, in units of its mean variance
MOST_DIRECTIONS = 64  # of the paired differences; a few hold nearly all of them, and each costs time in every batch


@register
class Shrink(Removal):
    """Soft shrinkage of paired differences: `x -> m + A (A + strength B)^-1 (x - m)`.

    A is the covariance of the training slides' mean features, shrunk towards the identity. B is the second moment of the
    paired differences (a scan minus the mean over its specimen's scanners), scaled to A's trace. In their common
    eigenvectors each direction keeps `1 / (1 + strength * ratio)`: a Wiener filter, known in speaker recognition as
    within-class covariance normalisation (A. Hatch et al., Interspeech 2006). The form is that of the public project
    histo-vfm-acquisition-geometry (MIT, 2026). Fitting needs pairs; applying needs neither the scanner nor its scans.

    Args:
        strength: of the shrinkage; 0 changes nothing.
        shrink: share of the identity in A, 0 to 1.
    """

    name = "shrink"
    title = "directions in which scanners differ are shrunk"
    needs = Needs(pairs=True)
    grid = ({"strength": 1.0}, {"strength": 3.0}, {"strength": 10.0}, {"strength": 30.0}, {"strength": 100.0})

    def __init__(self, strength: float = 10.0, shrink: float = 0.1) -> None:
        super().__init__()
        if strength < 0 or not 0 <= shrink <= 1:
            raise ValueError(f"expected strength >= 0 and shrink from 0 to 1, got {strength} and {shrink}")
        self.strength, self.shrink = strength, shrink

    def fit(self, scans: Sequence[Scan]) -> None:
        means = slide_means(scans)
        read, remove = fit_shrinkage(means, paired_deltas(scans, means), self.strength, self.shrink)
        self.mean, self.read, self.remove = means.mean(dim=0).float(), read.float(), remove.float()


def fit_shrinkage(
    means: torch.Tensor, deltas: torch.Tensor, strength: float, shrink: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The map that is subtracted from centred row vectors, as a product of rank R: `strength (A + strength B)^-1 B`.

    Args:
        means: [S, D] float64 mean features of slides.
        deltas: [n, D] float64 paired differences.
        strength: of the shrinkage.
        shrink: share of the identity in A.

    Returns:
        Factors [D, R] and [R, D]; R is at most `MOST_DIRECTIONS`.
    """
    centred = means - means.mean(dim=0)
    covariance = centred.t() @ centred / len(means)
    variance = covariance.diagonal().mean()
    identity = torch.eye(len(covariance), dtype=means.dtype)
    slides = (1 - shrink) * covariance + (shrink + RIDGE) * variance * identity
    _, values, vectors = torch.linalg.svd(deltas / len(deltas) ** 0.5, full_matrices=False)
    rank = min(MOST_DIRECTIONS, int((values > 1e-6 * values[0]).sum()))
    directions = (values[:, None] * vectors)[:rank]
    directions = directions * (slides.trace() / directions.square().sum()).sqrt()
    scanners = directions.t() @ directions
    return strength * torch.linalg.solve(slides + strength * scanners, directions.t()), directions
