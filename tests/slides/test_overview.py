from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scangen_bundle.slides import overview
from scangen_bundle.testing import FakeReader, make_slide


def brute_force(image: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    """Mean over each px's exact area, one px at a time."""
    height, width = int(np.ceil(image.shape[0] / scale[1])), int(np.ceil(image.shape[1] / scale[0]))
    out = np.empty((height, width, 3))
    for row in range(height):
        y = np.clip(np.minimum((row + 1) * scale[1], np.arange(image.shape[0]) + 1)
                    - np.maximum(row * scale[1], np.arange(image.shape[0])), 0, None)  # fmt: skip
        for column in range(width):
            x = np.clip(np.minimum((column + 1) * scale[0], np.arange(image.shape[1]) + 1)
                        - np.maximum(column * scale[0], np.arange(image.shape[1])), 0, None)  # fmt: skip
            out[row, column] = np.einsum("y,x,yxc->c", y, x, image) / (y.sum() * x.sum())
    return out


@pytest.mark.parametrize("scale", [(1.0, 1.0), (3.7, 3.7), (2.5, 6.1), (16.0, 15.873)])
def test_overview_is_the_mean_over_exact_areas_whatever_the_block(scale, monkeypatch) -> None:
    image = np.random.default_rng(0).integers(0, 256, (31, 43, 3), dtype=np.uint8)
    for block in (20, 2048):
        monkeypatch.setattr(overview, "BLOCK_PX", block)
        np.testing.assert_allclose(
            overview.read_overview(FakeReader(image), scale), brute_force(image, scale), atol=0.01
        )


def test_overview_reads_a_coarse_level_and_agrees_with_level_0() -> None:
    image = np.random.default_rng(0).integers(0, 256, (400, 600, 3), dtype=np.uint8)
    pyramid = FakeReader(image, downsamples=(1, 2, 4))
    fine = overview.read_overview(FakeReader(image), (12.0, 12.0))
    np.testing.assert_allclose(overview.read_overview(pyramid, (12.0, 12.0)), fine, atol=0.6)
    assert pyramid.largest_read == 150 * 100


def test_reads_stay_small_however_large_the_slide(monkeypatch) -> None:
    monkeypatch.setattr(overview, "BLOCK_PX", 128)
    reader = FakeReader(np.zeros((1000, 2000, 3), np.uint8))
    overview.read_overview(reader, (15.9, 15.9))
    assert reader.largest_read <= 130 * 130


def test_an_overview_finer_than_the_slide_is_refused() -> None:
    with pytest.raises(ValueError, match="finer"):
        overview.read_overview(FakeReader(np.zeros((8, 8, 3), np.uint8)), (0.5, 0.5))


def test_a_thumbnail_shows_the_whole_slide_at_most_as_large_as_asked(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (300, 500, 3), dtype=np.uint8)
    path = make_slide(tmp_path / "a.tif", image, levels=1, coding="deflate")
    small, size = overview.read_thumbnail(path, 100)
    assert size == (500, 300)
    np.testing.assert_allclose(small, brute_force(image, (5, 5)), atol=0.51)
    whole, _ = overview.read_thumbnail(path, 900)
    np.testing.assert_array_equal(whole, image)
