"""What MONAI's engines take from a batch of bags."""

from __future__ import annotations

from typing import Any

import torch
from monai.engines import PrepareBatch


class PrepareBagBatch(PrepareBatch):
    """Hand `image` and `label` to the engine and `mask` to the network."""

    def __call__(
        self,
        batchdata: dict[str, Any],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor, tuple, dict[str, torch.Tensor]]:
        image, label, mask = (
            batchdata[name].to(device=device, non_blocking=non_blocking, **kwargs)
            for name in ("image", "label", "mask")
        )
        return image, label, (), {"mask": mask}
