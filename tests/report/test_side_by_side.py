"""Scans of a specimen share their scale and their colours."""

import numpy as np
import pytest
from PIL import Image

from scangen_bundle.report.heatmap import attention_heatmap
from scangen_bundle.report.side_by_side import write_side_by_side


def scan(weights, mpp):
    """Two tiles of 0.5 mm one beside the other."""
    side = 500 / mpp
    coords = np.array([[0, 0], [round(side), 0]])
    return attention_heatmap(coords, np.array(weights), (side, side), (round(2 * side), round(side)), (mpp, mpp))


def test_equal_attention_has_equal_colours_whatever_the_resolution(tmp_path):
    scans = {"A": (scan([0, 1], 0.25), None), "B": (scan([0, 1], 0.5), None)}
    write_side_by_side(scans, tmp_path / "a.png", "specimen")
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    left, right = picture[:, : picture.shape[1] // 2], picture[:, picture.shape[1] // 2 :]
    yellow = np.array([253, 231, 36]) // 2 + 128  # twice the mean, the top of the scale, half over white
    counts = [int((np.abs(half.astype(int) - yellow).max(axis=2) < 6).sum()) for half in (left, right)]
    assert counts[0] == pytest.approx(counts[1], rel=0.05)  # the same area in mm, so the same area on the page
    assert counts[0] > 5000


def test_no_scan_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one scan"):
        write_side_by_side({}, tmp_path / "a.png", "specimen")
