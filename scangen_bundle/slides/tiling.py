"""The tiles to read: a grid in micrometres over the tissue."""

from __future__ import annotations

import math

import numpy as np

from scangen_bundle.slides.tissue import TissueMask

ROUNDING = 1e-6  # of a tile: `tissue_fraction` is a difference of large sums, so none and all are met to about 1e-12


def tile_grid(
    mask: TissueMask,
    slide_size: tuple[int, int],
    tile_size_level0: tuple[float, float],
    *,
    min_tissue: float = 0.5,
    overlap: float = 0.0,
    max_tiles: int | None = None,
    seed: int = 0,
    grid_um: float | None = None,
    origin_um: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Top-left corners of the tiles that hold enough tissue: int64 [N, 2] in level-0 px, row by row; [0, 2] if none do.

    The corners lie on a grid whose pitch is a length in µm, counted from the slide's top-left corner, so that scans of
    one specimen get the same grid whatever their mpp. Each corner is rounded to whole px by itself: rounding does not
    add up along the slide. A tile may hang over the slide's right or bottom border where there is tissue (the readers
    give white there, and what lies outside counts as no tissue); it never begins outside the slide.

    Args:
        mask: the slide's tissue.
        slide_size: (w, h) of level 0.
        tile_size_level0: (w, h) of a tile in level-0 px, fractions allowed (`TileReader.plan.tile_size_level0`).
        min_tissue: least fraction of a tile that has to be tissue, 0 to 1. At 0, any tissue at all is enough.
        overlap: fraction of a tile that it shares with the next one, 0 to below 1.
        max_tiles: keep at most this many. The choice depends on `seed` and a tile's place in the grid alone: scans of one
            specimen prefer the same places, and a smaller choice is part of a larger one.
        seed: of that choice.
        grid_um: exact size of a tile in µm (tile_px * mpp), which sets the pitch; by default what `tile_size_level0`
            amounts to, which may have been snapped to whole px by up to 0.01 px a tile.
        origin_um: (x, y) of a grid corner in µm, where scans are known to be shifted against each other.

    Raises:
        ValueError: an argument out of its range.
    """
    if not (0 <= min_tissue <= 1 and 0 <= overlap < 1):
        raise ValueError(f"min_tissue {min_tissue} has to be within 0 to 1, overlap {overlap} within 0 to below 1")
    if (
        min(tile_size_level0) <= 0
        or (max_tiles is not None and max_tiles < 0)
        or (grid_um is not None and grid_um <= 0)
    ):
        raise ValueError(
            f"tile size {tile_size_level0}, grid_um {grid_um} and max_tiles {max_tiles} must not be negative"
        )
    axes = []
    for axis in (0, 1):
        source_mpp = mask.source_mpp[axis]
        tile = tile_size_level0[axis] if grid_um is None else grid_um / source_mpp
        pitch, origin = tile * (1 - overlap), origin_um[axis] / source_mpp
        axes.append(_line(slide_size[axis], pitch, origin))
    (columns, x), (rows, y) = axes
    cells = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    corners = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    fraction = tissue_fraction(mask, corners, tile_size_level0)
    keep = np.flatnonzero(fraction > max(min_tissue - ROUNDING, ROUNDING))
    if max_tiles is not None and len(keep) > max_tiles:
        first = np.argsort(_lots(cells[keep], seed), kind="stable")[:max_tiles]
        keep = np.sort(keep[first])
    return corners[keep]


def tissue_fraction(mask: TissueMask, corners: np.ndarray, tile_size_level0: tuple[float, float]) -> np.ndarray:
    """Fraction of each tile that is tissue: float64 [N]; outside the slide is no tissue.

    Exact for mask px that are squares: the integral image of such a mask is bilinear between its knots.

    Args:
        mask: the slide's tissue.
        corners: [N, 2] top-left corners in level-0 px.
        tile_size_level0: (w, h) in level-0 px.
    """
    sums = mask.mask.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    integral = np.pad(sums, ((1, 0), (1, 0)))
    scale = np.asarray(mask.scale)
    size = np.asarray(tile_size_level0) / scale
    start = np.asarray(corners, np.float64).reshape(-1, 2) / scale
    stop = start + size
    area = (
        _at(integral, stop[:, 0], stop[:, 1])
        - _at(integral, start[:, 0], stop[:, 1])
        - _at(integral, stop[:, 0], start[:, 1])
        + _at(integral, start[:, 0], start[:, 1])
    )
    return np.clip(area / np.prod(size), 0.0, 1.0)


def _at(integral: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The integral image at fractional places, bilinear, constant beyond its borders."""
    height, width = integral.shape
    x = np.clip(x, 0, width - 1)
    y = np.clip(y, 0, height - 1)
    left = np.minimum(x.astype(int), width - 2)
    top = np.minimum(y.astype(int), height - 2)
    fx, fy = x - left, y - top
    upper = integral[top, left] * (1 - fx) + integral[top, left + 1] * fx
    lower = integral[top + 1, left] * (1 - fx) + integral[top + 1, left + 1] * fx
    return upper * (1 - fy) + lower * fy


def _line(length: int, pitch: float, origin: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and places (whole px, within 0 to `length`) of the grid's knots along one axis."""
    first, stop = math.ceil(-origin / pitch - 1e-9), math.ceil((length - origin) / pitch)
    number = np.arange(first, stop)
    place = np.floor(origin + number * pitch + 0.5).astype(np.int64)
    inside = (place >= 0) & (place < length)
    return number[inside].astype(np.int64), place[inside]


def _lots(cells: np.ndarray, seed: int) -> np.ndarray:
    """An evenly spread uint64 [N] for each cell [N, 2] of the grid (SplitMix64, Steele et al. 2014)."""
    lots = np.full(len(cells), seed, np.int64).astype(np.uint64)
    for axis in (0, 1):
        lots = lots + cells[:, axis].astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        lots = (lots ^ (lots >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        lots = (lots ^ (lots >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        lots = lots ^ (lots >> np.uint64(31))
    return lots
