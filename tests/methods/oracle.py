"""The ScanGen loss pair by pair in float64, written from its formula with loops."""

from __future__ import annotations

import torch


def distance(a: torch.Tensor, b: torch.Tensor, kind: str) -> torch.Tensor:
    if kind == "cosine":
        return 1 - (a * b).sum() / (a.square().sum().sqrt() * b.square().sum().sqrt())
    squared = (a - b).square().sum()
    return squared.sqrt() if squared > 0 else 0 * squared


def scangen_oracle(z, specimen, scanner, label=None, alpha=0.16, margin=1.0, kind="cosine", repel="scanner"):
    """Loss, mean attraction, mean repulsion, number of attracted and of repelled pairs."""
    attraction, repulsion = [], []
    for i in range(len(z)):
        for j in range(i + 1, len(z)):
            same_specimen = int(specimen[i]) == int(specimen[j])
            same_scanner = int(scanner[i]) == int(scanner[j])
            if same_specimen == same_scanner:
                continue
            d = distance(z[i].double(), z[j].double(), kind)
            if same_specimen:
                attraction.append(d**2)
                continue
            if repel == "label" and (min(label[i], label[j]) < 0 or label[i] == label[j]):
                continue
            repulsion.append((margin - d) ** 2 if d < margin else 0 * d)
    none = 0 * z.double().sum()
    mean_a = sum(attraction) / len(attraction) if attraction else none
    mean_r = sum(repulsion) / len(repulsion) if repulsion else none
    return (1 - alpha) * mean_a + alpha * mean_r, mean_a, mean_r, len(attraction), len(repulsion)
