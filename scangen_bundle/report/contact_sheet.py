"""The tiles that the network looked at most, as it saw them."""

from __future__ import annotations

import os

import numpy as np

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.files import write_atomically
from scangen_bundle.slides import TileReader, open_slide

COLUMNS = 4


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

    Args:
        tiles: [n, h, w, 3] uint8, best first.
        relative: [n] attention, 1 = average tile.
        coords: [n, 2] level-0 px of the tiles' top-left corners.
        mpp: µm per px of the tiles.
        path: of the PNG.
        title: above the grid.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    wide, high = max(2.4 * columns, 4.8), 2.75 * rows + 0.8
    figure = Figure(figsize=(wide, high))
    FigureCanvasAgg(figure)
    figure.suptitle(title, y=1 - 0.1 / high, verticalalignment="top")
    # A fixed layout: matplotlib's own draws everything several times to find one, and this is done for every slide.
    places = {"left": 0.02, "right": 0.98, "bottom": 0.3 / high, "top": 1 - 0.75 / high, "wspace": 0.05, "hspace": 0.2}
    grid = figure.subplots(rows, columns, squeeze=False, gridspec_kw=places).ravel()
    for axes in grid:
        axes.set_axis_off()
    for rank, (axes, tile) in enumerate(zip(grid, tiles, strict=False)):
        axes.imshow(tile, interpolation="nearest")
        x, y = coords[rank]
        axes.set_title(f"{rank + 1}: {relative[rank]:.2f} x mean\n({x}, {y}) px", fontsize=8)
    side = tiles.shape[2]
    bar_um = max((um for um in (5, 10, 20, 50, 100, 200, 500) if um / mpp <= side / 2), default=1)
    grid[0].plot([0.05 * side, 0.05 * side + bar_um / mpp], [0.93 * side] * 2, color="black", linewidth=3)
    grid[0].text(0.05 * side, 0.9 * side, f"{bar_um} µm", fontsize=8, bbox={"color": "white", "alpha": 0.7, "pad": 1})
    figure.supxlabel(
        f"attention relative to the mean tile, place in level-0 px. {RESEARCH_USE_ONLY}", fontsize=7, y=0.06 / high
    )
    with write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=120)
