"""Slide means of specimens that were scanned several times; paired methods are fitted on them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from scangen_bundle.errors import InputError
from scangen_bundle.methods.method import Method, Scan

TILES_PER_SCAN = 256


class Removal(Method):
    """Base of methods that subtract a map of rank R from centred features: `x -> x - ((x - mean) read) remove`."""

    def __init__(self) -> None:
        super().__init__()
        self.mean: torch.Tensor
        self.read: torch.Tensor
        self.remove: torch.Tensor

    def build(self, features: int, embedding: int, classes: int) -> None:
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("read", torch.zeros(features, 0))
        self.register_buffer("remove", torch.zeros(0, features))

    def transform(self, x: torch.Tensor, mask: torch.Tensor | None, scanner: torch.Tensor | None) -> torch.Tensor:
        return x - ((x - self.mean) @ self.read) @ self.remove


def slide_means(scans: Sequence[Scan]) -> torch.Tensor:
    """Mean features [S, D] float64 of each scan."""
    return torch.stack([scan.read(TILES_PER_SCAN).double().mean(dim=0) for scan in scans])


def paired_deltas(scans: Sequence[Scan], means: torch.Tensor) -> torch.Tensor:
    """Each scan's mean minus the mean over its specimen's scans [n, D], of specimens with several scanners.

    Raises:
        InputError: no specimen was scanned on two scanners.
    """
    rows: dict[str, list[int]] = {}
    for index, scan in enumerate(scans):
        rows.setdefault(scan.specimen, []).append(index)
    deltas = []
    for group in rows.values():
        if len({scans[index].scanner for index in group}) > 1:
            deltas.append(means[group] - means[group].mean(dim=0))
    if not deltas:
        problem = "no training specimen was scanned on two training scanners"
        raise InputError("method", f"is fitted on pairs of scans, and {problem}", "choose another --method")
    return torch.cat(deltas)


def scanner_directions(scans: Sequence[Scan], means: torch.Tensor) -> torch.Tensor:
    """Principal directions [D, R] of the paired deltas, the strongest first; R is their rank."""
    deltas = paired_deltas(scans, means)
    _, values, vectors = torch.linalg.svd(deltas, full_matrices=False)
    return vectors[values > values[0] * 1e-6].t()
