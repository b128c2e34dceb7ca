"""Tiled TIFF, SVS and OME-TIFF: each native tile decoded once, by tifffile's page decoder and imagecodecs."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.slides.reader import WHITE, PyramidReader, over_white
from scangen_bundle.slides.tiff_pyramid import DAMAGED, TiffLevel, read_tiff_pyramid


class TileCache:
    """The decoded native tiles used last, at most `limit` bytes of them."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._bytes = 0
        self._tiles: OrderedDict[tuple[int, int], np.ndarray | None] = OrderedDict()

    def get(self, key: tuple[int, int]) -> np.ndarray | None:
        """The tile, now the one used last.

        Raises:
            KeyError: it is not here.
        """
        self._tiles.move_to_end(key)
        return self._tiles[key]

    def put(self, key: tuple[int, int], tile: np.ndarray | None) -> None:
        """Keep a tile (None: the slide leaves it out), dropping those that were not used for longest."""
        self._tiles[key] = tile
        self._bytes += 0 if tile is None else tile.nbytes
        while self._bytes > self.limit and self._tiles:
            _, old = self._tiles.popitem(last=False)
            self._bytes -= 0 if old is None else old.nbytes


class TiffHandle:
    """An open TIFF: its pyramid, a file descriptor, and the tiles decoded from it."""

    def __init__(self, path: Path, cache_bytes: int) -> None:
        self.pyramid = read_tiff_pyramid(path)
        self.file = os.open(path, os.O_RDONLY)
        self.cache = TileCache(cache_bytes)

    def close(self) -> None:
        os.close(self.file)


class TifffileReader(PyramidReader):
    """Read tiled TIFF, Aperio SVS and OME-TIFF: JPEG (YCbCr or RGB, shared tables), JPEG 2000, LZW, Deflate or raw.

    Args:
        path: the slide file.
        cache_mb: memory for decoded native tiles. For tiles read in raster order two rows of native tiles are enough
            (30 MB for a slide of 20,000 px, 150 MB for 100,000 px).

    Raises:
        UnsupportedLayout: not a tiled TIFF whose pyramid is one plain grid per level.
        InputError: the file is missing, empty or damaged.
    """

    backend = "tifffile"

    def __init__(self, path: str | os.PathLike[str], cache_mb: int = 192) -> None:
        self.cache_mb = cache_mb
        super().__init__(path)

    def _open(self) -> TiffHandle:
        return TiffHandle(self.path, self.cache_mb * 2**20)

    def _describe(self) -> tuple[list[tuple[int, int]], tuple[float, float] | None, dict[str, str]]:
        pyramid = self.handle().pyramid
        return [level.size for level in pyramid.levels], pyramid.mpp, dict(pyramid.properties)

    def _read(self, corners: np.ndarray, level: int, out: np.ndarray) -> None:
        handle: TiffHandle = self.handle()
        grid = handle.pyramid.levels[level]
        height, width = out.shape[1:3]
        beyond = (corners < 0).any(1) | (corners + np.array([width, height]) > grid.size).any(1)
        out[beyond] = WHITE
        # A row of pixels as one run of bytes: NumPy then copies it in one go.
        flat = out.reshape(len(out), height, 3 * width) if out.flags.c_contiguous else None
        index, tile = -1, None
        for piece in tile_pieces(corners, (width, height), grid):
            if piece[0] != index:
                index = piece[0]
                tile = self._tile(handle, level, index)
            _, row, x, y, source_x, source_y, across, down = piece
            if tile is None:
                out[row, y : y + down, x : x + across] = WHITE
            elif flat is not None:
                flat[row, y : y + down, 3 * x : 3 * (x + across)] = tile[
                    source_y : source_y + down, 3 * source_x : 3 * (source_x + across)
                ]
            else:
                part = tile[source_y : source_y + down, 3 * source_x : 3 * (source_x + across)]
                out[row, y : y + down, x : x + across] = part.reshape(down, across, 3)

    def _tile(self, handle: TiffHandle, level: int, index: int) -> np.ndarray | None:
        """Native tile `index` as uint8 [h, 3 * w], or None if the slide leaves it out."""
        try:
            return handle.cache.get((level, index))
        except KeyError:
            tile = self._decode(handle, handle.pyramid.levels[level], index)
            handle.cache.put((level, index), tile)
            return tile

    def _decode(self, handle: TiffHandle, level: TiffLevel, index: int) -> np.ndarray | None:
        data = level.read_tile(handle.file, index, self.path)
        if data is None:
            return None
        try:
            tile = level.decode(data, index, jpegtables=level.jpeg_tables)[0][0]
        except Exception as error:  # each codec has its own error type
            raise InputError(
                self.path, f"tile {index} of its {level.size[0]} px wide level: {error}", DAMAGED
            ) from error
        return (over_white(tile) if tile.shape[2] == 4 else tile).reshape(tile.shape[0], -1)


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
