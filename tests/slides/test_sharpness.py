from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from scangen_bundle.slides import sharpness, tile_sharpness


def tiles(blur: float = 0.0, count: int = 3) -> np.ndarray:
    noise = np.random.default_rng(0).random((count, 64, 64, 1)) * np.ones(3)
    return (ndimage.gaussian_filter(noise, (0, blur, blur, 0)) * 255).astype(np.uint8)


def test_sharpness_is_the_variance_of_the_laplacian_of_the_luminance() -> None:
    tile = np.random.default_rng(1).integers(0, 256, (1, 9, 12, 3), dtype=np.uint8)
    grey = tile[0] @ np.array([0.299, 0.587, 0.114])
    laplacian = [
        grey[y - 1, x] + grey[y + 1, x] + grey[y, x - 1] + grey[y, x + 1] - 4 * grey[y, x]
        for y in range(1, 8)
        for x in range(1, 11)
    ]
    assert tile_sharpness(tile)[0] == pytest.approx(np.var(laplacian))


def test_blurred_tiles_are_less_sharp() -> None:
    values = [sharpness(tiles(blur)) for blur in (0.0, 0.7, 1.5, 3.0)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 10 * values[2]


def test_slide_value_is_the_median_of_its_tiles() -> None:
    some = np.concatenate([tiles(0.0, 1), tiles(1.0, 1), np.zeros((1, 64, 64, 3), np.uint8)])
    assert sharpness(some) == sorted(tile_sharpness(some))[1]


def test_no_tile_has_no_sharpness_and_floats_are_refused() -> None:
    assert np.isnan(sharpness(np.zeros((0, 8, 8, 3), np.uint8)))
    with pytest.raises(ValueError, match="uint8"):
        tile_sharpness(np.zeros((1, 8, 8, 3)))
