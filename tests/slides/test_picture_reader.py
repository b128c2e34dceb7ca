"""A picture in memory is read as a slide is."""

import numpy as np

from scangen_bundle.slides.picture_reader import PictureReader


def test_a_region_that_leaves_the_picture_is_white_beyond_it():
    pixels = np.random.default_rng(0).integers(0, 255, (6, 9, 3), dtype=np.uint8)
    reader = PictureReader("a.png", pixels)
    padded = np.pad(pixels, ((4, 4), (4, 4), (0, 0)), constant_values=255)
    for x, y in ((-2, -3), (0, 0), (7, 4)):
        assert (reader.read_region(x, y, 0, 4, 3) == padded[y + 4 : y + 7, x + 4 : x + 8]).all()
    assert reader.level_dimensions == [(9, 6)]
    assert reader.mpp is None
