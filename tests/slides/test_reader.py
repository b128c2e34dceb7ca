"""Geometry and colours that all readers share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.slides.reader import check_levels, level_corners, level_downsample, over_white


@pytest.mark.parametrize(
    ("full", "part", "expected"),
    [
        ((4443, 3567), (2221, 1783), (2.0, 2.0)),  # halved, the odd px dropped
        ((4443, 3567), (2222, 1784), (2.0, 2.0)),  # halved and rounded up
        ((5014, 5120), (156, 160), (32.0, 32.0)),  # five times halved
        ((1000, 1000), (400, 400), (2.5, 2.5)),
        ((1000, 900), (1000, 900), (1.0, 1.0)),
    ],
)
def test_downsample_is_the_whole_number_that_explains_the_sizes(full, part, expected) -> None:
    assert level_downsample(full, part) == expected


def test_level_sizes_may_be_rounded_but_not_be_another_picture() -> None:
    check_levels(Path("slide.svs"), [(5014, 5120), (2507, 2560), (156, 160), (39, 40), (4, 5)])
    with pytest.raises(InputError, match=r"slide\.svs.*4000 x 2000.*1000 x 800"):
        check_levels(Path("slide.svs"), [(4000, 2000), (1000, 800)])


def test_corners_are_rounded_to_whole_px_of_the_level_on_both_sides_of_zero() -> None:
    corners = level_corners(np.array([[0, 0], [7, 9], [10, 11], [-6, -7], [-10, 400001]]), (4.0, 2.0))
    np.testing.assert_array_equal(corners, [[0, 0], [2, 5], [3, 6], [-1, -3], [-2, 200001]])


def test_alpha_is_laid_over_white() -> None:
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 100, 200, 51]]], np.uint8)
    # a fifth of the colour and four fifths of 255
    np.testing.assert_array_equal(over_white(rgba), [[[10, 20, 30], [255, 255, 255], [204, 224, 244]]])
