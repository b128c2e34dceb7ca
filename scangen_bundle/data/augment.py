"""Augmentation in feature space; off unless a configuration names it."""

from __future__ import annotations

from typing import Any

import torch
from monai.transforms import RandomizableTransform


class FeatureNoise(RandomizableTransform):
    """Add Gaussian noise to each feature, relative to that feature's spread within the bag.

    Random as MONAI's transforms are, from `self.R`, which `BagDataset` seeds for each item.

    Args:
        scale: standard deviation of the noise over that of the feature.
    """

    def __init__(self, scale: float = 0.1) -> None:
        if scale < 0:
            raise ValueError(f"expected scale >= 0, got {scale}")
        super().__init__()
        self.scale = scale

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """The item with noise on `image` [N, D]."""
        image = item["image"]
        spread = image.std(dim=0, correction=0, keepdim=True)
        noise = torch.from_numpy(self.R.standard_normal(image.shape)).to(image)
        return {**item, "image": image + self.scale * spread * noise}
