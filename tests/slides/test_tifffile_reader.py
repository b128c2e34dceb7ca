"""Which native tile gives what to which region, and what is decoded for it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from scangen_bundle.slides import TifffileReader
from scangen_bundle.slides.reader import UnsupportedLayout
from scangen_bundle.slides.tifffile_reader import tile_pieces
from scangen_bundle.testing import draw_tissue, make_slide


def test_pieces_put_a_picture_together_again_tile_by_tile() -> None:
    size, tile = (70, 50), (16, 12)
    grid = SimpleNamespace(size=size, tile=tile, grid=(5, 5))
    image = np.random.default_rng(0).integers(1, 255, (50, 70))
    padded = np.pad(image, ((0, 10), (0, 10)))
    corners = np.random.default_rng(1).integers(-25, 80, (60, 2))
    regions = np.zeros((60, 23, 30), int)
    pieces = tile_pieces(corners, (30, 23), grid)
    for cell, row, x, y, from_x, from_y, across, down in pieces:
        left, top = cell % 5 * 16, cell // 5 * 12
        native = padded[top : top + 12, left : left + 16]
        regions[row, y : y + down, x : x + across] = native[from_y : from_y + down, from_x : from_x + across]
    for corner, region in zip(corners, regions, strict=True):
        for y in range(23):
            for x in range(30):
                at = corner[0] + x, corner[1] + y
                inside = 0 <= at[0] < 70 and 0 <= at[1] < 50
                assert region[y, x] == (image[at[1], at[0]] if inside else 0)
    assert [piece[0] for piece in pieces] == sorted(piece[0] for piece in pieces)


def test_regions_wholly_outside_have_no_pieces() -> None:
    grid = SimpleNamespace(size=(70, 50), tile=(16, 12), grid=(5, 5))
    assert tile_pieces(np.array([[-100, 0], [500, 500]]), (30, 23), grid) == []


def test_a_raster_of_regions_keeps_no_more_tiles_than_a_row_needs(tmp_path: Path) -> None:
    path = make_slide(tmp_path / "slide.tif", draw_tissue(2048, 2048), levels=1)  # 8 x 8 tiles
    grid = np.arange(0, 2048, 128)
    with TifffileReader(path) as reader:
        for y in grid:
            reader.read_regions(np.column_stack([grid, np.full_like(grid, y)]), 0, 128, 128)
        assert len(reader.handle().cache) == 8


def test_each_native_tile_is_decoded_once_for_a_raster_of_regions(tmp_path: Path, monkeypatch) -> None:
    path = make_slide(tmp_path / "slide.tif", draw_tissue(1000, 1000), levels=1)
    decoded: list[int] = []
    original = TifffileReader._decode

    def record(self, handle, level, index, out) -> None:
        decoded.append(index)
        original(self, handle, level, index, out)

    monkeypatch.setattr(TifffileReader, "_decode", record)
    grid = np.arange(0, 1000, 120)
    corners = np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2)
    with TifffileReader(path) as reader:
        for start in range(0, len(corners), 5):
            reader.read_regions(corners[start : start + 5], 0, 120, 120)
    assert sorted(decoded) == list(range(16))


def test_a_tiny_cache_changes_the_work_but_not_the_pixels(tmp_path: Path) -> None:
    path = make_slide(tmp_path / "slide.tif", draw_tissue(1000, 1000), levels=1)
    corners = np.random.default_rng(5).integers(0, 800, (20, 2))
    with TifffileReader(path, cache_mb=0) as small, TifffileReader(path) as usual:
        for corner in corners:
            np.testing.assert_array_equal(
                small.read_region(*corner, 0, 200, 200), usual.read_region(*corner, 0, 200, 200)
            )


def test_a_tiff_without_tiles_is_left_to_another_reader(tmp_path: Path) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "strips.tif", draw_tissue(300, 200))
    with pytest.raises(UnsupportedLayout, match="no tiled image"):
        TifffileReader(tmp_path / "strips.tif")
