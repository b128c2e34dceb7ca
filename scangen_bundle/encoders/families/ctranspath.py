"""CTransPath: a Swin transformer behind a small convolutional stem."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scangen_bundle.encoders.base import Encoder
from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import IMAGENET_MEAN, IMAGENET_STD, PATHOLOGY, EncoderSpec
from scangen_bundle.encoders.state_dict import fill, load_state_dict
from scangen_bundle.encoders.weights import find_weights

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

SPEC = EncoderSpec(
    name="ctranspath",
    family="Sichuan University",
    domain=PATHOLOGY,
    revision="sha256-7c998680060c",  # of the published ctranspath.pth; STAMP and others check the same file by it
    weights_file="ctranspath.pth",
    architecture="swin_tiny_patch4_window7_224",
    ignored_keys=("head.",),
    poolings={"mean": 768},
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    interpolation="bilinear",
    licence="GPL-3.0",
    parameters=27.5,
    note="Not on the hub: get ctranspath.pth by the link of https://github.com/Xiyue-Wang/TransPath. "
    "CHIEF's copy of it is used at 1 µm/px.",
)


def build_ctranspath() -> torch.nn.Module:
    """The network with random weights, [B, 3, 224, 224] -> [B, 768] (mean of the last stage's positions)."""
    import timm
    from timm.layers import to_2tuple
    from torch import nn

    class ConvStem(nn.Module):
        """Two strided convolutions to C / 8 and C / 4 channels and one to C: [B, 3, H, W] -> [B, H / 4, W / 4, C]."""

        def __init__(self, img_size: Any, patch_size: int, in_chans: int, embed_dim: int, norm_layer: Any, **_: Any):
            super().__init__()
            self.grid_size = tuple(side // patch_size for side in to_2tuple(img_size))
            narrow, wide = embed_dim // 8, embed_dim // 4
            self.proj = nn.Sequential(
                *(nn.Conv2d(in_chans, narrow, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU()),
                *(nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()),
                nn.Conv2d(wide, embed_dim, 1),
            )
            self.norm = norm_layer(embed_dim)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.norm(self.proj(pixels).permute(0, 2, 3, 1))

    return timm.create_model(SPEC.architecture, pretrained=False, num_classes=0, embed_layer=ConvStem)


def modern_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The published weights under the names of today's timm.

    They were saved by a timm in which a stage ended with the downsampling that now begins the next one, and which kept
    tables that are now computed.
    """
    computed = ("relative_position_index", "attn_mask")
    return {
        re.sub(r"layers\.(\d+)\.downsample", lambda found: f"layers.{int(found[1]) + 1}.downsample", key): value
        for key, value in state.items()
        if not key.endswith(computed)
    }


@register(SPEC)
def make_ctranspath(spec: EncoderSpec, weights: str | Path | None = None, **options: Any) -> Encoder:
    """Make CTransPath from its published file `ctranspath.pth`.

    Args:
        spec: the registered record.
        weights: the file, or its folder. A warning tells if it is not the published one, such as CHIEF's.
        options: those of `TorchEncoder`.
    """
    from scangen_bundle.encoders.torch_encoder import TorchEncoder

    found = find_weights(spec, weights)
    if found.revision != spec.revision:
        logger.warning(
            "%s is %s, not the published %s: vectors of another model", found.path, found.revision, spec.revision
        )
    network = build_ctranspath()
    fill(network, modern_names(load_state_dict(found.path)), spec, found.path)
    return TorchEncoder(spec, network, revision=found.revision, **options)
