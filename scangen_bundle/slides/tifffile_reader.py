"""Tiled TIFF, SVS and OME-TIFF: each native tile decoded once, by simplejpeg (JPEG) or by tifffile's page decoder."""

from __future__ import annotations

import os
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.slides.reader import WHITE, PyramidReader, UnsupportedLayout
from scangen_bundle.slides.tiff_pyramid import DAMAGED, OTHER_READER, TiffLevel, TiffPyramid, read_tiff_pyramid
from scangen_bundle.slides.tile_cache import TileCache


class TiffHandle:
    """An open TIFF: its pyramid, a file descriptor, and the tiles of one level decoded from it."""

    def __init__(self, path: Path, pyramid: TiffPyramid) -> None:
        self.pyramid = pyramid
        self.file = os.open(path, os.O_RDONLY)
        self.cache: TileCache | None = None

    def close(self) -> None:
        os.close(self.file)


class TifffileReader(PyramidReader):
    """Read tiled TIFF, Aperio SVS and OME-TIFF: JPEG (YCbCr or RGB, shared tables), JPEG 2000, LZW, Deflate or raw.

    Args:
        path: the slide file.
        cache_mb: most memory for decoded native tiles. Regions in raster order need the rows of native tiles that one row
            of regions touches (30 MB for 20,000 px, 150 MB for 100,000 px).

    Raises:
        UnsupportedLayout: not a tiled TIFF whose pyramid is one plain grid per level, or an Aperio slide that leaves out tiles
            above level 0.
        InputError: the file is missing, empty or damaged.
    """

    backend = "tifffile"

    def __init__(self, path: str | os.PathLike[str], cache_mb: int = 192) -> None:
        self.cache_mb = cache_mb
        super().__init__(path)

    def _open(self) -> TiffHandle:
        pyramid = read_tiff_pyramid(self.path)
        if pyramid.properties["openslide.vendor"] == "aperio" and any(level.is_sparse for level in pyramid.levels[1:]):
            # Aperio's own reading, which OpenSlide follows, shows the finer level there; in other TIFFs it is white.
            problem = "an Aperio slide whose coarser levels leave out tiles, which are to be made from the finer level"
            raise UnsupportedLayout(self.path, problem, OTHER_READER)
        return TiffHandle(self.path, pyramid)

    def _describe(self) -> tuple[list[tuple[int, int]], tuple[float, float] | None, dict[str, str]]:
        pyramid = self.handle().pyramid
        return [level.size for level in pyramid.levels], pyramid.mpp, dict(pyramid.properties)

    def _read(self, corners: np.ndarray, level: int, out: np.ndarray) -> None:
        handle: TiffHandle = self.handle()
        grid = handle.pyramid.levels[level]
        height, width = out.shape[1:3]
        beyond = (corners < 0).any(1) | (corners + np.array([width, height]) > grid.size).any(1)
        if (width, height) == grid.tile and not (corners % grid.tile).any() and not beyond.any():
            cells = corners // grid.tile @ np.array([1, grid.grid[0]])
            for row in np.argsort(cells):
                self._decode(handle, grid, int(cells[row]), out[row])
            return
        out[beyond] = WHITE
        cache = self._cache(handle, level, height)
        for cell, pieces in groupby(tile_pieces(corners, (width, height), grid), key=itemgetter(0)):
            tile = cache.get(cell)
            if tile is None:
                tile = cache.buffer()
                self._decode(handle, grid, cell, tile)
                cache.put(cell, tile)
            given = 0
            for _, row, x, y, source_x, source_y, across, down in pieces:
                # One row of pixels is one run of bytes in both arrays, which NumPy copies in one go.
                out[row, y : y + down, x : x + across] = tile[source_y : source_y + down, source_x : source_x + across]
                given += across * down
            cache.give(cell, given)

    def _cache(self, handle: TiffHandle, level: int, height: int) -> TileCache:
        """The cache of this level, with room for the native tiles that one row of regions touches."""
        grid = handle.pyramid.levels[level]
        if handle.cache is None or handle.cache.level != level:
            limit = self.cache_mb * 2**20 // (3 * grid.tile[0] * grid.tile[1])
            handle.cache = TileCache(level, grid.tile, limit)
        handle.cache.grow((-(-height // grid.tile[1]) + 1) * grid.grid[0])
        return handle.cache

    def _decode(self, handle: TiffHandle, level: TiffLevel, index: int, out: np.ndarray) -> None:
        """Decode native tile `index` into `out` uint8 [h, w, 3]; one that the slide leaves out is white."""
        data = level.read_tile(handle.file, index, self.path)
        if data is None:
            out[:] = WHITE
            return
        try:
            level.decode(data, index, out)
        except Exception as error:  # each codec has its own error type
            problem = f"tile {index} of its {level.size[0]} px wide level cannot be decoded: {error}"
            raise InputError(self.path, problem, DAMAGED) from error


def check_tiles(path: Path, file: int, grid: TiffLevel, corners: np.ndarray, size: tuple[int, int]) -> None:
    """Read the coded native tiles that regions touch, for decoders that do not tell of a damaged one.

    Args:
        path: the slide, to name it.
        file: its open file descriptor.
        grid: the level.
        corners: top-left corners of the regions in px of the level, int64 [n, 2].
        size: (width, height) of the regions.

    Raises:
        InputError: a tile is cut short.
    """
    for index in dict.fromkeys(piece[0] for piece in tile_pieces(corners, size, grid)):
        grid.read_tile(file, index, path)


def tile_pieces(corners: np.ndarray, size: tuple[int, int], grid: TiffLevel) -> list[list[int]]:
    """What each native tile gives to which region, in the order of the native tiles.

    Args:
        corners: top-left corners of the regions in px of the level, int64 [n, 2].
        size: (width, height) of the regions.
        grid: the level.

    Returns:
        One [tile, region, x, y, source_x, source_y, width, height] for each overlap of a tile with a region: x, y in the
        region, source_x, source_y in the tile.
    """
    tile, limit = np.asarray(grid.tile), np.asarray(grid.size)
    start, stop = np.maximum(corners, 0), np.minimum(corners + size, limit)
    first, last = start // tile, (stop - 1) // tile
    pieces = []
    for down in range(int((last - first)[:, 1].max()) + 1):
        for across in range(int((last - first)[:, 0].max()) + 1):
            cell = first + np.array([across, down])
            rows = np.nonzero((cell <= last).all(1) & (start < stop).all(1))[0]
            cell = cell[rows]
            low = np.maximum(cell * tile, start[rows])
            high = np.minimum((cell + 1) * tile, stop[rows])
            index = cell[:, 1] * grid.grid[0] + cell[:, 0]
            pieces.append(np.column_stack([index, rows, low - corners[rows], low - cell * tile, high - low]))
    if not pieces:
        return []
    joined = np.concatenate(pieces)
    return joined[np.lexsort((joined[:, 1], joined[:, 0]))].tolist()
