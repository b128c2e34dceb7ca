"""Augmentation in feature space; off unless a configuration names it."""

from __future__ import annotations

from typing import Any

import torch


class FeatureNoise:
    """Add Gaussian noise to each feature, relative to that feature's spread within the bag.

    Args:
        scale: standard deviation of the noise over that of the feature.
    """

    def __init__(self, scale: float = 0.1) -> None:
        if scale < 0:
            raise ValueError(f"expected scale >= 0, got {scale}")
        self.scale = scale

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """The item with noise on `image` [N, D]."""
        image = item["image"]
        spread = image.std(dim=0, correction=0, keepdim=True)
        return {**item, "image": image + self.scale * spread * torch.randn_like(image)}
