"""Scans that are pictures: aligned patches (.jpg, .png) and archives of registered tiles (.h5). Tiles correspond as they are.

An archive is plism-benchmark's: an array uint8 [side, side, 3] per tile, whose name ends in the tile's number, x and y.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from PIL import Image

from scangen_bundle.bags.hdf5 import open_hdf5
from scangen_bundle.errors import InputError
from scangen_bundle.slides import TileReader
from scangen_bundle.slides.picture_reader import PictureReader
from scangen_bundle.slides.resolution import resolve_mpp

PICTURES = (".jpg", ".jpeg", ".png")
ARCHIVE = ".h5"


def is_picture(path: str | os.PathLike[str]) -> bool:
    """Whether a scan's file is a picture or an archive of tiles, not a slide."""
    return Path(path).suffix.lower() in (*PICTURES, ARCHIVE)


class Tile(NamedTuple):
    """A tile of an encoder: its side in px, and its µm/px."""

    px: int
    mpp: float


def picture_tiles(
    path: str | os.PathLike[str], mpp: float, tile: Tile, most: int | None = None, allow_upsampling: bool = False
) -> np.ndarray:
    """Tiles uint8 [T, px, px, 3] that lie side by side in a picture, or in each tile of an archive.

    Args:
        path: the picture or the archive.
        mpp: of its pixels, NaN where it is not known.
        tile: of the encoder.
        most: at most this many, spread evenly; None takes all.
        allow_upsampling: see `slides.TileReader`.

    Raises:
        InputError: the resolution is not known or too coarse, the field of view is larger than the picture, or it is no such
            file.
    """
    batches = []
    for pixels in _pictures(path, most):
        source = resolve_mpp(None, tile.mpp, mpp, path)
        corners = _corners(pixels.shape[1::-1], source, tile, path)
        reader = TileReader(PictureReader(path, pixels), tile.mpp, tile.px, source, allow_upsampling)
        batches.append(reader.read(corners))
    tiles = np.concatenate(batches)
    if most is None or len(tiles) <= most:
        return tiles
    evenly = np.linspace(0, len(tiles) - 1, most).astype(int)
    return tiles[evenly]


def _corners(size: Sequence[int], source: tuple[float, float], tile: Tile, path: str | os.PathLike[str]) -> np.ndarray:
    """Top-left corners int64 [T, 2] of the tiles that lie side by side in the middle of a picture of `size` (w, h)."""
    side = tile.px * tile.mpp / np.array(source)
    count = np.floor((np.array(size) + 1) / side).astype(int)  # a tile may leave the picture by a rounded px
    if (count < 1).any():
        extent = f"{size[0]} x {size[1]} px of {source[0]:g} µm"
        problem = f"its picture of {extent} is smaller than the field of view of {tile.px * tile.mpp:g} µm"
        raise InputError(path, problem, "state another mpp for the tiles (--mpp), or another encoder")
    columns, rows = np.meshgrid(np.arange(count[0]), np.arange(count[1]))
    steps = np.stack([columns, rows], axis=-1).reshape(-1, 2)
    margin = (np.array(size) - count * side) / 2
    return np.rint(margin + steps * side).astype(np.int64)


def _pictures(path: str | os.PathLike[str], most: int | None) -> Iterator[np.ndarray]:
    """The picture, or the tiles of an archive in the order of x and y, uint8 [h, w, 3] each."""
    try:
        if Path(path).suffix.lower() != ARCHIVE:
            with Image.open(path) as picture:
                yield np.asarray(picture.convert("RGB"))
            return
        with open_hdf5(path) as archive:
            for name in archive_names(archive, path, most):
                yield np.asarray(archive[name])
    except OSError as error:
        raise InputError(path, f"it cannot be read: {error}", "get the file again") from error


def archive_names(archive: h5py.File, path: str | os.PathLike[str], most: int | None = None) -> list[str]:
    """Names of an archive's tiles in the order of x and y, at most `most` of them, spread evenly.

    Raises:
        InputError: names that do not end in three whole numbers, or none.
    """
    try:
        names = sorted(archive, key=_place)
    except ValueError:
        names = []
    if not names:
        raise InputError(path, "its arrays are not called <name>_<number>_<x>_<y>", "give the tiles of plism-benchmark")
    step = 1 if most is None else -(-len(names) // most)
    return names[::step]


def _place(name: str) -> tuple[int, ...]:
    """(x, y) of a tile from its name; ValueError where it does not end in them."""
    return tuple(map(int, name.split("_")[-2:]))
