"""Tiles cover a slide once, whatever levels it has."""

import numpy as np
import pytest

from scangen_bundle.viewer.pyramid import Pyramid, make_pyramid, tile_region


@pytest.mark.parametrize("size", [(1, 1), (512, 512), (513, 1), (4443, 3567), (100_000, 80_001)])
def test_the_finest_level_is_the_slide_and_the_coarsest_fits_a_pane(size):
    pyramid = Pyramid(size)
    assert pyramid.level_size(pyramid.max_level) == size
    assert max(pyramid.level_size(pyramid.min_level)) <= 1024
    assert pyramid.min_level == pyramid.max_level or max(pyramid.level_size(pyramid.min_level)) > 512


def test_tiles_of_a_level_cover_it_once():
    pyramid = Pyramid((4443, 3567))
    for level in range(pyramid.min_level, pyramid.max_level + 1):
        covered = np.zeros(pyramid.level_size(level)[::-1], dtype=int)
        for row in range(20):
            for column in range(20):
                if pyramid.contains(level, column, row):
                    width, height = tile_region(pyramid, [(1.0, 1.0)], level, column, row).tile
                    covered[row * 512 : row * 512 + height, column * 512 : column * 512 + width] += 1
        assert (covered == 1).all()


@pytest.mark.parametrize(
    ("level", "column", "row"), [(99, 0, 0), (0, 0, 0), (-1, 0, 0), (13, 9, 0), (13, 0, 7), (13, -1, 0)]
)
def test_there_is_no_tile_outside(level, column, row):
    assert not Pyramid((4443, 3567)).contains(level, column, row)


def test_the_coarsest_level_that_is_fine_enough_is_read():
    pyramid = Pyramid((100_000, 100_000))
    downsamples = [(1.0, 1.0), (4.0, 4.0), (16.0, 16.0)]
    levels = [tile_region(pyramid, downsamples, pyramid.max_level - k, 0, 0).level for k in range(6)]
    assert levels == [0, 0, 1, 1, 2, 2]


def test_a_level_of_the_slide_is_taken_as_it_is():
    region = tile_region(Pyramid((8192, 8192)), [(1.0, 1.0), (4.0, 4.0)], 11, 1, 2)
    assert region.shrink == (1, 1)
    assert (region.level, region.corner, region.size) == (1, (512, 1024), (512, 512))


def test_a_downsample_that_is_no_whole_number_is_resampled_with_a_margin_for_the_filter():
    region = tile_region(Pyramid((8192, 8192)), [(1.0, 1.0), (3.7, 3.7)], 11, 1, 0)
    assert region.shrink is None
    left, _, right, _ = region.box
    assert region.corner[0] + left == pytest.approx(512 * 4 / 3.7)
    assert region.corner[0] + right == pytest.approx(1024 * 4 / 3.7)
    assert left >= 2
    assert region.size[0] - right >= 2


def test_pixels_that_are_not_square_become_square():
    pyramid = make_pyramid((1000, 1000), (0.5, 0.25))
    assert pyramid.size == (2000, 1000)
    assert pyramid.pixel == (0.5, 1.0)
    region = tile_region(pyramid, [(1.0, 1.0)], pyramid.max_level, 1, 0)
    assert region.corner[0] + region.box[0] == pytest.approx(256)
    assert region.corner[0] + region.box[2] == pytest.approx(512)
