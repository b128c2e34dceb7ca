"""ScannerMix: each training bag is moved to a virtual scanner between, or beyond, two training scanners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from scangen_bundle.methods.method import Method, Needs, Scan, register
from scangen_bundle.methods.scanners import ScannerRows
from scangen_bundle.methods.standardise import by_scanner, moments

TILES_PER_SCAN = 256
LEAST_SPREAD = 1e-6  # of a feature; one that never varies keeps its value


@register
class ScannerMix(Method):
    """A bag's mean and spread move by a random share of the way from its scanner to another training scanner.

    With mean m and standard deviation s of a feature on the bag's scanner, M and S on another training scanner drawn at
    random, and u uniform between `lowest` and `highest`: `x -> (x - m) / s * s^(1-u) S^u + (1-u) m + u M`. One draw per bag:
    a virtual scanner changes all tiles of a slide alike. u beyond 0 to 1 extrapolates. The idea is MixStyle's (K. Zhou et
    al., ICLR 2021), here with the moments of whole scanners in place of two images'.

    Args:
        probability: share of the bags that are moved.
        lowest, highest: range of u.
    """

    name = "scannermix"
    title = "training bags moved to virtual scanners between and beyond the training scanners"
    needs = Needs(patients_per_scanner=2)

    def __init__(self, probability: float = 0.8, lowest: float = -0.5, highest: float = 1.5) -> None:
        super().__init__()
        self.mean: torch.Tensor
        self.deviation: torch.Tensor
        if not 0 <= probability <= 1 or lowest > highest:
            raise ValueError(f"expected a probability and lowest <= highest, got {probability}, {lowest} and {highest}")
        self.probability, self.lowest, self.highest = probability, lowest, highest
        self.scanners = ScannerRows()

    def build(self, features: int, embedding: int, classes: int) -> None:
        self.register_buffer("mean", torch.zeros(0, features))
        self.register_buffer("deviation", torch.zeros(0, features))

    def fit(self, scans: Sequence[Scan]) -> None:
        groups = by_scanner(scans)
        means, deviations = zip(*(moments(group, TILES_PER_SCAN) for group in groups.values()), strict=True)
        self.scanners.extend(list(groups))
        self.mean = torch.stack(means)
        self.deviation = torch.stack(deviations).clamp_min(LEAST_SPREAD)

    def augment(self, item: dict[str, Any], generator: torch.Generator) -> dict[str, Any]:
        draws = torch.rand(3, generator=generator)
        count = len(self.mean)
        if draws[0] >= self.probability or count < 2:
            return item
        keys = self.scanners.keys
        key = torch.tensor([item["scanner_key"]], device=keys.device)
        if not bool(self.scanners.knows(key)):
            return item
        source = int(self.scanners.rows[keys == key][0])
        target = (source + 1 + int(draws[1] * (count - 1))) % count
        share = float(self.lowest + draws[2] * (self.highest - self.lowest))
        gain = (self.deviation[target] / self.deviation[source]) ** share
        mean = torch.lerp(self.mean[source], self.mean[target], share)
        image = item["image"]
        centred = image - self.mean[source].to(image)
        return {**item, "image": centred * gain.to(image) + mean.to(image)}
