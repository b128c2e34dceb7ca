"""Virtual scanners change pixels as scanners do: smoothly, repeatably, and each in its own way."""

import numpy as np
import pytest

from scangen_bundle.slides.virtual_scanner import LUMA, STAINS, VirtualScanner, draw_scanners
from scangen_bundle.testing import draw_tissue

NEUTRAL = {
    "density": np.eye(3),
    "density_offset": np.zeros(3),
    "colour": np.eye(3),
    "colour_offset": np.zeros(3),
    "blur": 0.0,
    "sharpen": 0.0,
    "scale": 1.0,
    "noise": 0.0,
    "jpeg": 100,
}


def apply(**changes):
    tiles = draw_tissue(128, 128)[None]
    scanner = VirtualScanner(**{**NEUTRAL, **changes})
    return tiles[0].astype(int), scanner.apply(tiles, np.random.default_rng(0))[0].astype(int)


def test_a_neutral_scanner_changes_no_more_than_jpeg_does():
    before, after = apply()
    assert np.abs(after - before).mean() < 3


def test_more_stain_makes_pixels_darker_by_the_law_of_beer_and_lambert():
    before, after = apply(density=2 * np.eye(3))
    np.testing.assert_allclose(after.mean((0, 1)), (255 * (before / 255) ** 2).mean((0, 1)), atol=2)


def test_blur_takes_detail_away_and_sharpening_adds_it():
    detail = {}
    for name, change in (("blur", {"blur": 1.0}), ("none", {}), ("sharpen", {"sharpen": 1.0})):
        _, after = apply(**change)
        detail[name] = np.abs(np.diff(after, axis=1)).mean()
    assert detail["blur"] < detail["none"] < detail["sharpen"]


def test_a_reduced_size_takes_detail_away_and_keeps_the_shape():
    before, after = apply(scale=0.5)
    assert after.shape == before.shape
    assert np.abs(np.diff(after, axis=1)).mean() < np.abs(np.diff(before, axis=1)).mean()


@pytest.mark.parametrize("index", range(8))
def test_drawn_scanners_keep_grey_nearly_grey_and_glass_bright(index):
    glass = np.full((1, 64, 64, 3), 242, np.uint8)
    seen = draw_scanners(8, 0)[index].apply(glass, np.random.default_rng(0))[0].reshape(-1, 3).mean(0)
    assert seen.min() > 190
    assert np.ptp(seen) < 45


def test_the_first_scanners_are_the_same_whatever_the_number_and_differ_by_seed():
    three, five = draw_scanners(3, 7), draw_scanners(5, 7)
    for first, second in zip(three, five, strict=False):
        np.testing.assert_array_equal(first.colour, second.colour)
    assert not np.array_equal(draw_scanners(1, 8)[0].colour, three[0].colour)


def test_the_same_noise_gives_the_same_pixels():
    scanner, tiles = draw_scanners(1, 3)[0], draw_tissue(64, 64)[None]
    first, second = (scanner.apply(tiles, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_axes_of_colour_and_the_stains_can_be_inverted():
    for matrix in (LUMA, STAINS):
        assert np.linalg.cond(matrix) < 20
