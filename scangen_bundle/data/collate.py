"""Bags of different lengths as one padded batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from scangen_bundle.data.buffers import BufferPool

_POOL = BufferPool()
NUMBERS = ("label", "specimen", "scanner", "scanner_key", "view")


def collate_bags(items: Sequence[dict[str, Any] | list[dict[str, Any]]]) -> dict[str, Any]:
    """Pad bags to the longest one with zeros.

    Args:
        items: as `BagDataset` gives them, `image` [n, D] of any precision with any n; a list holds the views of one bag.

    Returns:
        `image` [B, N, D] float32, `mask` [B, N] bool (True = real tile), `coords` [B, N, 2] (padding: -1), `label`,
        `specimen`, `scanner` and, where the items have them, `scanner_key`, `view` [B] int64, `slide_id` list of str.
    """
    bags: list[dict[str, Any]] = []
    for item in items:
        bags.extend(item if isinstance(item, list) else [item])
    lengths = torch.tensor([len(bag["image"]) for bag in bags])
    longest = int(lengths.max())
    image = _POOL.empty(len(bags), longest, bags[0]["image"].shape[1])
    coords = torch.full((len(bags), longest, 2), -1, dtype=torch.int64)
    for row, bag in enumerate(bags):
        length = len(bag["image"])
        image[row, :length] = bag["image"]
        image[row, length:] = 0
        coords[row, :length] = bag["coords"]
    batch: dict[str, Any] = {"image": image, "mask": torch.arange(longest) < lengths[:, None], "coords": coords}
    for name in NUMBERS:
        if name in bags[0]:
            batch[name] = torch.tensor([bag[name] for bag in bags])
    batch["slide_id"] = [bag["slide_id"] for bag in bags]
    return batch
