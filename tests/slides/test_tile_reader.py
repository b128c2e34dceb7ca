"""Tiles at exactly one resolution, against a filter written out as a loop and against the area under each pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.slides import TileReader, open_slide
from scangen_bundle.slides.tile_reader import resample
from scangen_bundle.testing import draw_tissue, make_slide, pyramid


def triangle_weights(length: int, extent: float, tile_px: int) -> np.ndarray:
    """Weights [tile_px, length] of the antialiased bilinear filter: a triangle as wide as two output pixels."""
    scale = extent / tile_px
    distance = np.abs(np.arange(length) + 0.5 - (np.arange(tile_px)[:, None] + 0.5) * scale)
    weights = np.maximum(0, 1 - distance / max(scale, 1))
    return weights / weights.sum(1, keepdims=True)


def area_weights(length: int, extent: float, tile_px: int) -> np.ndarray:
    """Weights [tile_px, length]: the share of each input pixel under each output pixel."""
    scale = extent / tile_px
    start, column = np.arange(tile_px)[:, None] * scale, np.arange(length)
    weights = np.maximum(0, np.minimum(start + scale, column + 1) - np.maximum(start, column))
    return weights / weights.sum(1, keepdims=True)


def apply(down: np.ndarray, across: np.ndarray, image: np.ndarray) -> np.ndarray:
    return np.einsum("ihc,jh->ijc", np.einsum("ih,hwc->iwc", down, image.astype(float)), across, optimize=True)


@pytest.mark.parametrize(
    "extent", [(90.7, 90.7), (129.8, 64.9), (64.65, 63.4), (63.5, 63.97), (200.2, 64.0), (40.5, 61.1)]
)
def test_resampling_is_the_triangle_filter_over_exactly_the_field_of_view(extent: tuple[float, float]) -> None:
    width, height = int(extent[0]) + 1, int(extent[1]) + 1
    image = draw_tissue(width, height)
    found = resample(image[None], extent, 64)[0]
    expected = apply(triangle_weights(height, extent[1], 64), triangle_weights(width, extent[0], 64), image)
    assert found.shape == (64, 64, 3)
    assert np.abs(found - expected).max() <= 1.01  # the last bit of fixed-point arithmetic


@pytest.mark.parametrize("target", [0.31, 0.5, 0.7312, 1.21])
@pytest.mark.parametrize("backend", ["openslide", "tifffile"])
def test_a_tile_shows_its_field_of_view_and_nothing_is_shifted(tmp_path: Path, target: float, backend: str) -> None:
    # The mean position of brightness of a ramp moves with the smallest shift or error of scale.
    ramp = np.zeros((1024, 1024, 3), np.uint8)
    ramp[..., 0] = np.arange(1024) // 4
    ramp[..., 1] = (np.arange(1024) // 4)[:, None]
    path = make_slide(tmp_path / "ramp.tif", ramp, 0.25, levels=3, coding="deflate")
    tiles = TileReader(open_slide(path, backend), target, 64)
    ds = tiles.plan.level_downsample[0]
    x, y = int(21 * ds) * 2, int(11 * ds) * 2
    tile = tiles.read(np.array([[x, y]]))[0]
    # Centre of output pixel i in level-0 px; the ramp rises by 1 in 4 px and its steps sit 1.5 px behind.
    centres = (np.arange(64) + 0.5) * target / 0.25
    inner = slice(4, -4)
    assert np.abs(tile[32, inner, 0] - ((x + centres - 2) / 4)[inner]).max() < 1.3
    assert np.abs(tile[inner, 32, 1] - ((y + centres - 2) / 4)[inner]).max() < 1.3
    assert abs((tile[32, inner, 0] - ((x + centres - 2) / 4)[inner]).mean()) < 0.3


def test_tiles_are_close_to_the_area_under_each_pixel(tmp_path: Path) -> None:
    image = draw_tissue(700, 700, seed=3)
    path = make_slide(tmp_path / "slide.tif", image, 0.2465, levels=1, coding="deflate")
    tile = TileReader(open_slide(path), 0.5, 128).read(np.array([[100, 200]]))[0]
    extent = 128 * 0.5 / 0.2465
    weights = area_weights(261, extent, 128)
    expected = apply(weights, weights, image[200:461, 100:361])
    assert np.abs(tile - expected).mean() < 6  # the triangle is a little softer than the box
    assert tile.mean((0, 1)) == pytest.approx(expected.mean((0, 1)), abs=0.7)


def test_pixels_that_are_not_square_come_out_square(tmp_path: Path) -> None:
    image = np.full((800, 800, 3), 255, np.uint8)
    image[200:600, 300:500] = 0  # 200 px of 0.5 µm by 400 px of 0.25 µm: a square of 100 µm
    path = make_slide(tmp_path / "slide.tif", image, (0.5, 0.25), levels=1, coding="deflate")
    tile = TileReader(open_slide(path), 1.0, 256).read(np.array([[200, 0]]))[0]
    dark = np.argwhere(tile[..., 0] < 128)
    assert (dark.min(0) == (50, 50)).all()
    assert (dark.max(0) == (149, 149)).all()


def test_rows_come_back_in_the_order_asked_over_several_chunks(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("scangen_bundle.slides.tile_reader.CHUNK_BYTES", 5 * 200 * 200 * 3)
    path = make_slide(tmp_path / "slide.tif", draw_tissue(), 0.2465, levels=2)
    tiles = TileReader(open_slide(path), 0.5, 64)
    coords = np.random.default_rng(0).integers(-50, 1000, (40, 2))
    batch = tiles.read(coords)
    for coord, tile in zip(coords, batch, strict=True):
        np.testing.assert_array_equal(tiles.read(coord[None])[0], tile)
    assert tiles.read(np.empty((0, 2), np.int64)).shape == (0, 64, 64, 3)


def test_a_level_with_the_very_resolution_is_given_as_it_is(tmp_path: Path) -> None:
    image = draw_tissue()
    path = make_slide(tmp_path / "slide.tif", image, 0.25, levels=2, coding="deflate")
    tile = TileReader(open_slide(path), 0.5, 100).read(np.array([[200, 300]]))[0]
    np.testing.assert_array_equal(tile, pyramid(image, 2)[1][150:250, 100:200])


def test_two_scanners_show_the_same_structure_at_the_same_size(tmp_path: Path) -> None:
    # One disc of 60 µm, digitised at 0.25 and at 0.4415 µm/px: its area in the tiles has to be the same.
    areas = []
    for mpp in (0.25, 0.4415, 0.5052):
        side = int(150 / mpp)
        y, x = np.mgrid[:side, :side] * mpp + mpp / 2
        disc = np.where(np.hypot(x - 60, y - 60) < 30, 0, 255).astype(np.uint8)
        path = make_slide(tmp_path / f"{mpp}.tif", np.repeat(disc[..., None], 3, -1), mpp, levels=1, coding="deflate")
        tile = TileReader(open_slide(path), 0.5, 224).read(np.array([[0, 0]]))[0]
        areas.append((255 - tile[..., 0].astype(float)).sum() / 255 * 0.25)
    assert areas == pytest.approx([np.pi * 30**2] * 3, rel=0.003)


def test_upsampling_and_unknown_resolution_name_the_slide(tmp_path: Path) -> None:
    coarse = make_slide(tmp_path / "coarse.tif", draw_tissue(), 0.55, levels=1)
    with pytest.raises(InputError, match=r"coarse\.tif.*upsampling by 10%"):
        TileReader(open_slide(coarse), 0.5, 224)
    assert TileReader(open_slide(coarse), 0.5, 224, allow_upsampling=True).read(np.array([[0, 0]])).shape[1] == 224
    bare = make_slide(tmp_path / "bare.tif", draw_tissue(), None, levels=1)
    with pytest.raises(InputError, match=r"bare\.tif.*does not say"):
        TileReader(open_slide(bare), 0.5, 224)
    assert TileReader(open_slide(bare), 0.5, 224, source_mpp=0.25).plan.source_mpp == (0.25, 0.25)
