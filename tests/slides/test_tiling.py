from __future__ import annotations

import numpy as np
import pytest

from scangen_bundle.slides import TissueMask, tile_grid, tissue_fraction
from scangen_bundle.slides.resolution import plan_read


def mask_of(pixels: np.ndarray, scale: tuple[float, float] = (16.0, 16.0), mpp: float = 8.0) -> TissueMask:
    return TissueMask(pixels, (mpp, mpp), scale)


def random_mask(shape: tuple[int, int] = (40, 60)) -> np.ndarray:
    return np.random.default_rng(0).random(shape) > 0.4


def brute_fraction(pixels: np.ndarray, corner: tuple[float, float], size, scale) -> float:
    """Overlap of the tile with each px of the mask, one px at a time."""
    total = 0.0
    for row, column in np.argwhere(pixels):
        wide = min(corner[0] + size[0], (column + 1) * scale[0]) - max(corner[0], column * scale[0])
        high = min(corner[1] + size[1], (row + 1) * scale[1]) - max(corner[1], row * scale[1])
        total += max(wide, 0) * max(high, 0)
    return total / (size[0] * size[1])


def test_tissue_fraction_is_the_overlap_counted_px_by_px() -> None:
    pixels, scale, size = random_mask(), (16.0, 15.5), (224.0, 222.22)
    random = np.random.default_rng(1)
    corners = np.concatenate([random.integers(0, (960, 620), (20, 2)), [[0, 0], [959, 619], [-100, -50], [2000, 10]]])
    expected = [brute_fraction(pixels, corner, size, scale) for corner in corners]
    np.testing.assert_allclose(tissue_fraction(mask_of(pixels, scale), corners, size), expected, atol=1e-12)


@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.3])
def test_grid_keeps_exactly_the_cells_with_enough_tissue_row_by_row(overlap: float) -> None:
    pixels, size = random_mask((20, 30)), (100.4, 100.4)
    expected = []
    pitch = size[0] * (1 - overlap)
    for row in range(1000):
        for column in range(1000):
            corner = int(np.floor(column * pitch + 0.5)), int(np.floor(row * pitch + 0.5))
            if corner[0] >= 480:
                break
            if brute_fraction(pixels, corner, size, (16, 16)) >= 0.6:
                expected.append(corner)
        if row * pitch >= 320:
            break
    tiles = tile_grid(mask_of(pixels), (480, 320), size, min_tissue=0.6, overlap=overlap)
    assert tiles.dtype == np.int64
    assert 0 < len(expected) < (480 / pitch + 1) * (320 / pitch + 1)
    np.testing.assert_array_equal(tiles, expected)


def test_no_tissue_gives_no_tile_even_when_none_is_asked_for() -> None:
    for least in (0.0, 0.5):
        tiles = tile_grid(mask_of(np.zeros((4, 4), bool)), (64, 64), (8, 8), min_tissue=least)
        assert tiles.shape == (0, 2)
        assert tiles.dtype == np.int64


@pytest.mark.parametrize(("min_tissue", "least"), [(0.0, 1e-9), (1.0, 1 - 1e-9)])
def test_rounding_neither_makes_tissue_where_there_is_none_nor_takes_it_from_a_full_tile(min_tissue, least) -> None:
    pixels, scale = np.zeros((300, 400), bool), 8 / 0.2465
    pixels[50:250, 60:300] = True
    size = (int(400 * scale), int(300 * scale))
    grid = tile_grid(mask_of(pixels, (scale, scale)), size, (454.36, 454.36), min_tissue=min_tissue, grid_um=112.0)
    places = (np.arange(-(-side // 454.36)) * 112 / 0.2465 for side in size)
    x, y = np.meshgrid(*(np.floor(place + 0.5) for place in places))
    low, high = (np.array(corner) * scale for corner in ((60, 50), (300, 250)))
    corners = np.stack([x.ravel(), y.ravel()], axis=1)
    covered = np.clip(np.minimum(corners + 454.36, high) - np.maximum(corners, low), 0, None).prod(axis=1) / 454.36**2
    np.testing.assert_array_equal(grid, corners[covered >= least])


def test_a_tile_may_hang_over_the_border_but_never_begins_outside() -> None:
    tiles = tile_grid(mask_of(np.ones((4, 4), bool)), (64, 64), (40, 40), min_tissue=0.3)
    np.testing.assert_array_equal(tiles, [[0, 0], [40, 0], [0, 40], [40, 40]])
    np.testing.assert_array_equal(tile_grid(mask_of(np.ones((4, 4), bool)), (64, 64), (40, 40), min_tissue=1), [[0, 0]])


@pytest.mark.parametrize("overlap", [0.0, 0.25])
def test_scans_of_different_mpp_get_the_same_grid_in_micrometres(overlap: float) -> None:
    """20 mm of slide on three scanners: no corner strays by more than half a px of its own scanner."""
    grids = {}
    for source in (0.2465, 0.4415, 0.504):
        size = (round(20_000 / source), round(2_000 / source))
        plan = plan_read([(1.0, 1.0), (4.0, 4.0)], (source, source), 0.5, 224, allow_upsampling=True)
        mask = TissueMask(np.ones((250, 2500), bool), (8.0, 8.0), (8 / source, 8 / source))
        tiles = tile_grid(mask, size, plan.tile_size_level0, overlap=overlap, grid_um=112.0, min_tissue=0.9)
        grids[source] = tiles * source
        steps = np.rint(grids[source] / (112 * (1 - overlap)))
        assert np.abs(grids[source] - steps * 112 * (1 - overlap)).max() <= source / 2 + 1e-9
    shapes = {len(grid) for grid in grids.values()}
    assert len(shapes) == 1
    assert shapes.pop() > 3000
    assert np.abs(grids[0.2465] - grids[0.504]).max() < 0.4


def test_origin_shifts_the_grid() -> None:
    mask = mask_of(np.ones((100, 100), bool))
    tiles = tile_grid(mask, (1600, 1600), (200, 200), origin_um=(30.0, -20.0))
    assert set(tiles[:, 0] % 200) == {60}
    assert set(tiles[:, 1] % 200) == {160}
    assert tiles[:, 0].min() == 60
    assert tiles[:, 1].min() == 160


def test_choice_of_tiles_is_seeded_nested_even_and_in_order() -> None:
    mask, size = mask_of(np.ones((200, 200), bool)), (3200, 3200)
    every = tile_grid(mask, size, (32, 32))
    some, fewer = (tile_grid(mask, size, (32, 32), max_tiles=n, seed=3) for n in (1000, 100))
    assert len(every) == 10_000
    assert (len(some), len(fewer)) == (1000, 100)
    np.testing.assert_array_equal(some, tile_grid(mask, size, (32, 32), max_tiles=1000, seed=3))
    assert not np.array_equal(some, tile_grid(mask, size, (32, 32), max_tiles=1000, seed=4))
    assert {tuple(t) for t in fewer} <= {tuple(t) for t in some} <= {tuple(t) for t in every}
    np.testing.assert_array_equal(np.lexsort((some[:, 0], some[:, 1])), np.arange(1000))
    quarters = np.bincount((some // 1600) @ (1, 2), minlength=4)
    assert quarters.min() > 200  # 250 expected, 13.7 standard deviation


def test_scans_of_one_specimen_choose_the_same_places() -> None:
    chosen = []
    for source in (0.25, 0.5):
        mask = TissueMask(np.ones((200, 200), bool), (8.0, 8.0), (8 / source, 8 / source))
        size = int(1600 / source), int(1600 / source)
        chosen.append(tile_grid(mask, size, (64 / source, 64 / source), max_tiles=50, seed=1) * source)
    np.testing.assert_array_equal(*chosen)


@pytest.mark.parametrize("wrong", [{"min_tissue": 1.2}, {"overlap": 1.0}, {"max_tiles": -1}, {"grid_um": 0.0}])
def test_arguments_out_of_range_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        tile_grid(mask_of(np.ones((4, 4), bool)), (64, 64), (8, 8), **wrong)
