"""Bags of different lengths as one padded batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


def collate_bags(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Pad bags to the longest one with zeros.

    Args:
        items: as `BagDataset` gives them, `image` [n, D] with any n.

    Returns:
        `image` [B, N, D] float32, `mask` [B, N] bool (True = real tile), `coords` [B, N, 2] (padding: -1), `label`,
        `specimen`, `scanner` [B] int64, `slide_id` list of str.
    """
    longest = max(len(item["image"]) for item in items)
    image = items[0]["image"].new_zeros(len(items), longest, items[0]["image"].shape[1])
    coords = items[0]["coords"].new_full((len(items), longest, 2), -1)
    mask = torch.zeros(len(items), longest, dtype=torch.bool)
    for row, item in enumerate(items):
        tiles = len(item["image"])
        image[row, :tiles] = item["image"]
        coords[row, :tiles] = item["coords"]
        mask[row, :tiles] = True
    numbers = {name: torch.tensor([item[name] for item in items]) for name in ("label", "specimen", "scanner")}
    return {"image": image, "mask": mask, "coords": coords, **numbers, "slide_id": [item["slide_id"] for item in items]}
