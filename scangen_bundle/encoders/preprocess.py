"""Tiles to what a network takes: resized, cropped at the centre, scaled, normalised."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torchvision.transforms.v2 import functional as F

from scangen_bundle.encoders.spec import EncoderSpec


def resize_and_crop(tiles: torch.Tensor, spec: EncoderSpec) -> torch.Tensor:
    """Tiles uint8 [B, 3, H, H] of any side to uint8 [B, 3, input_px, input_px], the way `spec` says.

    The filter is antialiased, as in PIL, with which the published models were trained.
    """
    if tiles.shape[-1] != spec.resize_px:
        side = [spec.resize_px, spec.resize_px]
        tiles = F.resize(tiles, side, interpolation=F.InterpolationMode(spec.interpolation), antialias=True)
    if spec.input_px != spec.resize_px:
        tiles = F.center_crop(tiles, [spec.input_px, spec.input_px])
    return tiles


def normalise(tiles: torch.Tensor, spec: EncoderSpec) -> torch.Tensor:
    """Tiles uint8 [B, 3, H, W] to float32 of the same shape, with the spec's mean and std taken out."""
    mean = torch.tensor(spec.mean, device=tiles.device).view(1, 3, 1, 1) * 255
    std = torch.tensor(spec.std, device=tiles.device).view(1, 3, 1, 1) * 255
    return (tiles.float() - mean) / std


def resize_tiles(tiles: npt.NDArray[np.uint8], spec: EncoderSpec) -> npt.NDArray[np.uint8]:
    """`resize_and_crop` for arrays uint8 [B, H, H, 3], as they come from a slide."""
    resized = resize_and_crop(torch.from_numpy(np.ascontiguousarray(tiles)).permute(0, 3, 1, 2), spec)
    return resized.permute(0, 2, 3, 1).contiguous().numpy()
