"""The tiles that the network looked at most, as it saw them."""

from __future__ import annotations

import os

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.Image import Resampling

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.files import write_atomically
from scangen_bundle.report.heatmap import PNG_LEVEL
from scangen_bundle.slides import TileReader, open_slide

COLUMNS = 4
SIDE, GAP, LABEL, HEAD, FOOT = 224, 12, 36, 44, 36  # px
STEP = SIDE + GAP, SIDE + LABEL + GAP
SCALES = "attention relative to the mean tile, place in level-0 px"


def top_tiles(attention: np.ndarray, count: int) -> np.ndarray:
    """Positions [min(count, N)] of the highest weights, highest first; of equal ones the first."""
    return np.argsort(-np.asarray(attention), kind="stable")[:count]


def read_tiles(
    slide_path: str, coords: np.ndarray, mpp: float, tile_px: int, source_mpp: tuple[float, float]
) -> np.ndarray:
    """Tiles [n, tile_px, tile_px, 3] uint8 exactly as they were encoded.

    Args:
        slide_path: the slide.
        coords: [n, 2] level-0 px of the tiles' top-left corners.
        mpp, tile_px: of the feature bag.
        source_mpp: level-0 resolution (x, y) that the bag was made with.
    """
    with open_slide(slide_path) as reader:
        # The bag exists, so whoever made it has allowed its resolution.
        return TileReader(reader, mpp, tile_px, source_mpp, allow_upsampling=True).read(coords)


def write_contact_sheet(
    tiles: np.ndarray,
    relative: np.ndarray,
    coords: np.ndarray,
    mpp: float,
    path: str | os.PathLike[str],
    title: str,
) -> None:
    """Write tiles as a PNG grid, each with its rank, attention and place, and one scale bar.

    Tiles of 224 px are shown pixel by pixel, others are scaled to that size.

    Args:
        tiles: [n, h, w, 3] uint8, best first.
        relative: [n] attention, 1 = average tile.
        coords: [n, 2] level-0 px of the tiles' top-left corners.
        mpp: µm per px of the tiles.
        path: of the PNG.
        title: above the grid.
    """
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    # Pillow's own font has no µ; matplotlib brings one that has, and most scripts that a slide may be named in.
    font = os.path.join(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    heading, label, note = (ImageFont.truetype(font, size) for size in (17, 12, 10))
    texts = max(heading.getlength(title), note.getlength(RESEARCH_USE_ONLY))
    wide = GAP + max(columns * STEP[0], round(texts) + GAP)
    sheet = Image.new("RGB", (wide, HEAD + rows * STEP[1] + FOOT), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP), title, "black", heading)
    grow = tiles.shape[1] < SIDE
    for rank, (tile, share, (x, y)) in enumerate(zip(tiles, relative, coords, strict=True)):
        row, column = divmod(rank, columns)
        left, top = GAP + column * STEP[0], HEAD + row * STEP[1]
        draw.text((left, top), f"{rank + 1}: {share:.2f} x mean\n({x}, {y}) px", "black", label)
        picture = Image.fromarray(tile).resize((SIDE, SIDE), Resampling.NEAREST if grow else Resampling.LANCZOS)
        sheet.paste(picture, (left, top + LABEL))
    px_um = mpp * tiles.shape[2] / SIDE
    bar_um = max((um for um in (5, 10, 20, 50, 100, 200, 500) if um / px_um <= SIDE / 2), default=1)
    left, bottom = GAP + SIDE // 20, HEAD + LABEL + SIDE - SIDE // 20
    text = f"{bar_um} µm"
    draw.rectangle(draw.textbbox((left, bottom - 22), text, label), "white")
    draw.text((left, bottom - 22), text, "black", label)
    draw.rectangle((left, bottom - 3, left + round(bar_um / px_um), bottom), "black")
    draw.text((GAP, HEAD + rows * STEP[1]), f"{SCALES}\n{RESEARCH_USE_ONLY}", "black", note)
    with write_atomically(path) as temporary:
        sheet.save(temporary, compress_level=PNG_LEVEL)
