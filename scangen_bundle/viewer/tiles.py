"""Tiles of a slide for the browser: read, resampled, coded as JPEG."""

from __future__ import annotations

import numpy as np
from PIL import Image

from scangen_bundle.slides.reader import SlideReader
from scangen_bundle.viewer.pyramid import Pyramid, Region, tile_region

QUALITY = 90
MOST_PX = 2048  # a tile that needs a longer side of the slide is put together from the four tiles below it


def read_tile(reader: SlideReader, pyramid: Pyramid, level: int, column: int, row: int) -> np.ndarray:
    """A tile as uint8 [h, w, 3], in bounded memory.

    Raises:
        InputError: the slide is damaged there.
    """
    region = tile_region(pyramid, reader.level_downsamples, level, column, row)
    if max(region.size) <= MOST_PX or level == pyramid.max_level:
        return _read_region(reader, region)
    finer = _read_finer(reader, pyramid, level, column, row)
    width, height = region.tile
    missing_rows = 2 * height - finer.shape[0]  # sizes are rounded up: at most one is missing
    missing_columns = 2 * width - finer.shape[1]
    even = np.pad(finer, ((0, missing_rows), (0, missing_columns), (0, 0)), mode="edge")
    return np.asarray(Image.fromarray(even).reduce(2))


def encode_jpeg(tile: np.ndarray) -> bytes:
    """The tile as JPEG without colour subsampling: colours are what scanners differ in."""
    from simplejpeg import encode_jpeg as encode

    return encode(np.ascontiguousarray(tile), quality=QUALITY, colorspace="RGB", colorsubsampling="444")


def _read_region(reader: SlideReader, region: Region) -> np.ndarray:
    x, y = reader.level_downsamples[region.level]
    left, top = region.corner
    pixels = reader.read_region(round(left * x), round(top * y), region.level, *region.size)
    if region.shrink == (1, 1):
        return pixels
    image = Image.fromarray(pixels)
    if region.shrink is not None:
        return np.asarray(image.reduce(region.shrink))
    return np.asarray(image.resize(region.tile, Image.Resampling.BILINEAR, box=region.box))


def _read_finer(reader: SlideReader, pyramid: Pyramid, level: int, column: int, row: int) -> np.ndarray:
    """The area of a tile at the next finer level."""
    rows = []
    for y in (2 * row, 2 * row + 1):
        tiles = []
        for x in (2 * column, 2 * column + 1):
            if pyramid.contains(level + 1, x, y):
                tiles.append(read_tile(reader, pyramid, level + 1, x, y))
        if tiles:
            rows.append(np.concatenate(tiles, axis=1))
    return np.concatenate(rows)
