"""The picture of a slide's tissue and tiles."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from scangen_bundle.extraction.picture import CAPTION_PX, tissue_picture
from scangen_bundle.slides import TissueMask
from tests.extraction.fakes import GLASS, STAIN, FakeSlide, make_slide


def draw(tmp_path, size, tile, corners):
    """A slide with tissue in its upper left quarter, drawn; without the caption."""
    slide = FakeSlide(make_slide(tmp_path / "a.slide", size, size // 2))
    mask = TissueMask(np.pad(np.ones((8, 8), bool), ((0, 8), (0, 8))), (8.0, 8.0), (size / 16, size / 16))
    coded = tissue_picture(slide, "a", mask, np.array(corners).reshape(-1, 2), (tile, tile))
    return np.asarray(Image.open(io.BytesIO(coded)).convert("RGB")).astype(int)[CAPTION_PX:]


def test_tissue_is_framed_in_green_and_tiles_in_blue(tmp_path):
    picture = draw(tmp_path, 600, 120.0, [[60, 60]])
    assert picture.shape == (600, 600, 3)  # the slide is small: one px each
    red, green, blue = picture[250, 298]  # the right border of the tissue, away from the tile
    assert green > red + 50
    assert green > blue + 50
    for x, y in ((60, 120), (180, 120), (120, 60), (120, 180)):  # the tile's four sides
        red, green, blue = picture[y, x]
        assert blue > red + 50
        assert blue > green + 50
    assert np.abs(picture[120, 120, :2] - STAIN[:2]).max() < 8
    assert np.abs(picture[500, 500] - GLASS).max() < 4


@pytest.mark.parametrize(
    ("size", "tile", "side"), [(1000, 4.0, 1000), (6000, 32.0, 1500), (9000, 9000.0, 600), (9000, 8.0, 4000)]
)
def test_the_picture_is_large_enough_to_tell_tiles_apart_and_no_larger_than_4000_px(tmp_path, size, tile, side):
    assert draw(tmp_path, size, tile, []).shape == (side, side, 3)


def test_the_caption_is_there_whatever_the_name(tmp_path):
    slide = FakeSlide(make_slide(tmp_path / "a.slide", 1024, 0))
    mask = TissueMask(np.zeros((8, 8), bool), (8.0, 8.0), (128.0, 128.0))
    coded = tissue_picture(slide, "Präparat 標本", mask, np.empty((0, 2), np.int64), (64.0, 64.0))
    caption = np.asarray(Image.open(io.BytesIO(coded)).convert("L"))[:CAPTION_PX]
    assert (caption < 64).sum() > 200  # black letters on white
    assert caption[:, -8:].min() > 240
