"""Tiles show what the slide has at that place."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from scangen_bundle.slides import open_slide
from scangen_bundle.viewer.pyramid import Pyramid, make_pyramid
from scangen_bundle.viewer.tiles import encode_jpeg, read_tile


class FakeSlide:
    """A smooth picture with a pyramid of any downsamples, each level the mean over its area."""

    def __init__(self, size, downsamples, seed=0):
        noise = np.random.default_rng(seed).normal(size=(size[1] // 16, size[0] // 16))
        smooth = ndimage.gaussian_filter(noise, 3, mode="nearest")
        small = Image.fromarray((128 + 100 * smooth / np.abs(smooth).max()).astype(np.float32))
        self.picture = np.asarray(small.resize(size, Image.Resampling.BICUBIC))
        self.level_downsamples = [(float(d), float(d)) for d in downsamples]
        self.levels = []
        for d in downsamples:
            shape = round(size[0] / d), round(size[1] / d)
            image = Image.fromarray(self.picture).resize(shape, Image.Resampling.BOX)
            self.levels.append(np.asarray(image))
        self.asked = []

    def read_region(self, x, y, level, width, height):
        self.asked.append((level, width, height))
        d = self.level_downsamples[level][0]
        source = np.pad(self.levels[level], ((600, 4000), (600, 4000)), constant_values=255.0)
        left, top = int(np.floor(x / d + 0.5)) + 600, int(np.floor(y / d + 0.5)) + 600
        region = source[top : top + height, left : left + width]
        return np.repeat(np.rint(region).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("downsamples", [(1,), (1, 4), (1, 3.7, 13.3), (1, 2, 4, 8)])
def test_every_tile_of_every_level_lies_where_its_tissue_is(downsamples):
    slide = FakeSlide((3100, 1900), downsamples)
    pyramid = Pyramid((3100, 1900))
    for level in range(pyramid.min_level, pyramid.max_level + 1):
        scale = pyramid.scale(level)
        for column, row in ((0, 0), (1, 0), (1, 1), (0, 1)):
            if not pyramid.contains(level, column, row):
                continue
            tile = read_tile(slide, pyramid, level, column, row)[..., 0].astype(float)
            top, left = row * 512 * scale, column * 512 * scale
            height, width = (tile.shape[0] - 1) * scale, (tile.shape[1] - 1) * scale
            truth = slide.picture[top : top + height, left : left + width]
            truth = truth.reshape(height // scale, scale, width // scale, scale).mean(axis=(1, 3))
            error = np.abs(tile[: truth.shape[0], : truth.shape[1]] - truth)
            assert np.percentile(error, 99) < 2.5


def test_a_level_without_a_pyramid_below_it_is_put_together_in_bounded_memory():
    slide = FakeSlide((6000, 6000), (1,))
    pyramid = Pyramid((6000, 6000))
    tile = read_tile(slide, pyramid, pyramid.min_level, 0, 0)
    assert tile.shape == (512, 512, 3)
    assert max(max(width, height) for _, width, height in slide.asked) <= 2048


def test_the_edge_beyond_the_slide_is_as_large_as_the_level_says(phantom):
    path = sorted((phantom / "slides").iterdir())[0]
    with open_slide(path) as reader:
        pyramid = make_pyramid(reader.level_dimensions[0], reader.mpp)
        level = pyramid.max_level
        last = (pyramid.size[0] - 1) // 512, (pyramid.size[1] - 1) // 512
        tile = read_tile(reader, pyramid, level, *last)
        assert tile.shape[:2] == (pyramid.size[1] - 512 * last[1], pyramid.size[0] - 512 * last[0])
        whole = reader.read_region(512 * last[0], 512 * last[1], 0, tile.shape[1], tile.shape[0])
        assert (tile == whole).all()


def test_coding_keeps_colours():
    tile = np.zeros((16, 16, 3), np.uint8)
    tile[:, ::2] = (200, 30, 120)
    tile[:, 1::2] = (120, 30, 200)
    decoded = np.asarray(Image.open(io.BytesIO(encode_jpeg(tile))))
    assert np.abs(decoded.astype(int) - tile).max() < 24
