"""A picture of what was cut of a slide: people look at it before they trust the features."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scangen_bundle.slides import SlideReader, TissueMask, mask_overlay, thumbnail

TILE_PX = 8  # side of a tile in the picture, so that tiles can be told apart
LONGEST_PX = (600, 4000)
CAPTION_PX = 28


def tissue_picture(
    slide: SlideReader, name: str, mask: TissueMask, coords: np.ndarray, tile_size_level0: tuple[float, float]
) -> bytes:
    """The whole slide with the outline of its tissue (green) and its tiles (blue), as JPEG.

    Args:
        slide: an open slide.
        name: of the slide, for the caption.
        mask: its tissue.
        coords: [N, 2] top-left corners of the tiles in level-0 px.
        tile_size_level0: (w, h) of a tile in level-0 px.

    Raises:
        InputError: the slide cannot be read.
    """
    size = slide.level_dimensions[0]
    longest = int(np.clip(TILE_PX * max(size) / max(tile_size_level0), *LONGEST_PX))
    drawn = mask_overlay(
        thumbnail(slide, longest), mask, size, corners=coords, tile_size_level0=tile_size_level0, line_px=2
    )
    picture = Image.new("RGB", (drawn.shape[1], drawn.shape[0] + CAPTION_PX), "white")
    picture.paste(Image.fromarray(drawn), (0, CAPTION_PX))
    caption = f"{name}: tiles {len(coords):,}, tissue {mask.area_mm2:.3g} square mm. Research use only"
    ImageDraw.Draw(picture).text((8, 4), caption, "black", ImageFont.load_default(16))
    coded = io.BytesIO()
    picture.save(coded, "JPEG", quality=85, subsampling=0)  # else thin lines lose their colour
    return coded.getvalue()
