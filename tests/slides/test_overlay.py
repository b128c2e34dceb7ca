from __future__ import annotations

import numpy as np
import pytest

from scangen_bundle.slides import TissueMask, mask_overlay

MASK = TissueMask(np.pad(np.ones((4, 4), bool), 3), (8.0, 8.0), (16.0, 16.0))  # 10 x 10 px, tissue in 3 to 7


def test_outline_runs_inside_the_tissue_and_nothing_else_is_changed() -> None:
    thumbnail = np.full((80, 80, 3), 200, np.uint8)
    picture = mask_overlay(thumbnail, MASK, (160, 160), line_px=2, outline=(1, 2, 3))
    expected = np.zeros((80, 80), bool)
    expected[24:56, 24:56] = True
    expected[26:54, 26:54] = False
    np.testing.assert_array_equal((picture == (1, 2, 3)).all(axis=-1), expected)
    assert (picture[~expected] == 200).all()
    assert (thumbnail == 200).all()


def test_tiles_are_drawn_where_they_are_even_over_the_border() -> None:
    picture = mask_overlay(
        np.full((80, 80, 3), 200, np.uint8), MASK, (160, 160), corners=np.array([[20, 40], [140, 140]]),
        tile_size_level0=(40.0, 40.0), tile_line=(9, 9, 9), line_px=1,
    )  # fmt: skip
    drawn = (picture == 9).all(axis=-1)
    assert drawn[20, 10:31].all()
    assert drawn[20:41, 10].all()
    assert drawn[70, 70:].all()
    assert not drawn[:20].any()


def test_tiles_need_a_size() -> None:
    with pytest.raises(ValueError, match="tile_size_level0"):
        mask_overlay(np.zeros((8, 8, 3), np.uint8), MASK, (160, 160), corners=np.zeros((1, 2)))
