"""From a batch of bags to the arguments of MONAI's engines."""

from __future__ import annotations

from typing import Any

import torch
from monai.engines import PrepareBatch


class PrepareBagBatch(PrepareBatch):
    """Hand `image` and `label` to the engine, `mask` and the scanners' keys to the network."""

    def __call__(
        self,
        batchdata: dict[str, Any],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor, tuple, dict[str, torch.Tensor]]:
        moved = {
            name: batchdata[name].to(device=device, non_blocking=non_blocking, **kwargs)
            for name in ("image", "label", "mask", "scanner_key")
            if name in batchdata
        }
        options = {"mask": moved["mask"]}
        if "scanner_key" in moved:
            options["scanner"] = moved["scanner_key"]
        return moved["image"], moved["label"], (), options
