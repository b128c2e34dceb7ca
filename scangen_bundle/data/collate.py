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
    return _collate([view for item in items for view in (item if isinstance(item, list) else [item])])


def _collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    lengths = [len(item["image"]) for item in items]
    longest, features = max(lengths), items[0]["image"].shape[1]
    image = _POOL.empty(len(items), longest, features)
    coords = torch.full((len(items), longest, 2), -1, dtype=torch.int64)
    for row, (item, length) in enumerate(zip(items, lengths, strict=True)):
        image[row, :length] = item["image"]
        image[row, length:] = 0
        coords[row, :length] = item["coords"]
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    numbers = {name: torch.tensor([item[name] for item in items]) for name in NUMBERS if name in items[0]}
    return {"image": image, "mask": mask, "coords": coords, **numbers, "slide_id": [item["slide_id"] for item in items]}
