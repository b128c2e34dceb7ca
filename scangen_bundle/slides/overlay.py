"""A picture of what was taken for tissue, to be looked at."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from scangen_bundle.slides.tissue import TissueMask


def mask_overlay(
    thumbnail: np.ndarray,
    mask: TissueMask,
    slide_size: tuple[int, int],
    *,
    corners: np.ndarray | None = None,
    tile_size_level0: tuple[float, float] | None = None,
    line_px: int = 2,
    outline: tuple[int, int, int] = (0, 170, 0),
    tile_line: tuple[int, int, int] = (0, 90, 255),
) -> np.ndarray:
    """Draw the outline of the tissue, and tiles if they are given, over a thumbnail of the whole slide.

    Args:
        thumbnail: uint8 [h, w, 3], the whole slide at any size.
        mask: the slide's tissue.
        slide_size: (w, h) of level 0.
        corners: [N, 2] top-left corners of tiles in level-0 px.
        tile_size_level0: (w, h) of a tile in level-0 px; needed with `corners`.
        line_px: width of the outline, px.
        outline, tile_line: colours.

    Returns:
        uint8 [h, w, 3], a new picture.
    """
    picture = np.array(thumbnail, np.uint8)
    height, width = picture.shape[:2]
    scale = slide_size[0] / width, slide_size[1] / height  # level-0 px per thumbnail px
    rows = ((np.arange(height) + 0.5) * scale[1] / mask.scale[1]).astype(int).clip(max=mask.mask.shape[0] - 1)
    columns = ((np.arange(width) + 0.5) * scale[0] / mask.scale[0]).astype(int).clip(max=mask.mask.shape[1] - 1)
    tissue = mask.mask[np.ix_(rows, columns)]
    picture[tissue & ~ndimage.binary_erosion(tissue, np.ones((3, 3)), iterations=line_px)] = outline
    if corners is not None:
        if tile_size_level0 is None:
            raise ValueError("tiles cannot be drawn without tile_size_level0")
        start = (np.asarray(corners).reshape(-1, 2) / scale).astype(int)
        stop = ((np.asarray(corners).reshape(-1, 2) + tile_size_level0) / scale).astype(int)
        for (left, top), (right, bottom) in zip(start, stop, strict=True):
            picture[top : bottom + 1, [left, min(right, width - 1)]] = tile_line
            picture[[top, min(bottom, height - 1)], left : right + 1] = tile_line
    return picture
