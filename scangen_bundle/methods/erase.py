"""Erase: the strongest directions in which scanners differ are removed."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from scangen_bundle.methods.method import Needs, Scan, register
from scangen_bundle.methods.paired import Removal, scanner_directions, slide_means

KINDS = ("paired", "leace")
RANK_TOLERANCE = 1e-3  # eigenvalues below this share of the largest are noise of the whitening


@register
class Erase(Removal):
    """Features projected to where scanners do not differ.

    "paired" removes the first `directions` principal directions of the paired differences (nuisance attribute projection,
    A. Solomonoff et al., ICASSP 2005). "leace" makes the scanner linearly unpredictable from slide means with the least
    change of the features (N. Belrose et al., NeurIPS 2023, arXiv:2306.03819, theorem 4.3); it needs no pairs. Neither
    needs the scanner when it is applied.

    Args:
        kind: "paired" or "leace".
        directions: removed by "paired"; at most as many as there are.
    """

    name = "erase"
    title = "directions in which scanners differ are removed"
    grid = ({"directions": 1}, {"directions": 2}, {"directions": 5}, {"kind": "leace"})

    def __init__(self, kind: str = "paired", directions: int = 5) -> None:
        super().__init__()
        if kind not in KINDS or directions < 1:
            raise ValueError(f"expected kind to be one of {KINDS} and directions of at least 1")
        self.kind, self.directions = kind, directions
        self.needs = Needs(pairs=kind == "paired")

    def fit(self, scans: Sequence[Scan]) -> None:
        means = slide_means(scans)
        self.mean = means.mean(dim=0).float()
        if self.kind == "leace":
            read, remove = leace(means, [scan.scanner for scan in scans])
        else:
            read = scanner_directions(scans, means)[:, : self.directions]
            remove = read.t()
        self.read, self.remove = read.float(), remove.float()


def leace(means: torch.Tensor, scanners: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """The map to subtract from centred row vectors so that no scanner can be predicted linearly: factors [D, R] and [R, D].

    With W the whitening of the features and P the projection on the columns of W Cov(x, z), z the one-hot scanner:
    `x -> x - W^+ P W x`.

    Args:
        means: [S, D] float64.
        scanners: [S] names.
    """
    names = sorted(set(scanners))
    codes = torch.tensor([names.index(scanner) for scanner in scanners])
    concept = torch.nn.functional.one_hot(codes).to(means)
    concept = concept - concept.mean(dim=0)
    centred = means - means.mean(dim=0)
    values, vectors = torch.linalg.eigh(centred.t() @ centred / len(means))
    real = values > RANK_TOLERANCE**2 * values[-1]
    values, vectors = values[real], vectors[:, real]
    whiten = (vectors * values.rsqrt()) @ vectors.t()
    colour = (vectors * values.sqrt()) @ vectors.t()
    with_concept = whiten @ (centred.t() @ concept) / len(means)
    left, strength, _ = torch.linalg.svd(with_concept, full_matrices=False)
    left = left[:, strength > 1e-9]
    return whiten @ left, left.t() @ colour
