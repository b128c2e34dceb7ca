"""Bags of different lengths as one padded batch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence


def collate_bags(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Pad bags to the longest one with zeros.

    Args:
        items: as `BagDataset` gives them, `image` [n, D] with any n.

    Returns:
        `image` [B, N, D] float32, `mask` [B, N] bool (True = real tile), `coords` [B, N, 2] (padding: -1), `label`,
        `specimen`, `scanner` [B] int64, `slide_id` list of str.
    """
    lengths = torch.tensor([len(item["image"]) for item in items])
    # stacking is twice as fast as padding, and training's bags are mostly of one length
    join = torch.stack if lengths.unique().numel() == 1 else partial(pad_sequence, batch_first=True)
    image, coords = (join([item[name] for item in items]) for name in ("image", "coords"))
    mask = torch.arange(image.shape[1]) < lengths[:, None]
    coords[~mask] = -1
    numbers = {name: torch.tensor([item[name] for item in items]) for name in ("label", "specimen", "scanner")}
    return {"image": image, "mask": mask, "coords": coords, **numbers, "slide_id": [item["slide_id"] for item in items]}
