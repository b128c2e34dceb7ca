"""The colour control against skimage's colour spaces and numpy's statistics, tile by tile."""

import numpy as np
from skimage import color, data

from scangen_bundle.encoders import create_encoder
from scangen_bundle.encoders.families.colour_statistics import NAMES, quantiles


def test_features_are_the_statistics_that_their_names_say():
    tile = data.immunohistochemistry()[:224, :224]
    features = dict(zip(NAMES, create_encoder("colour-statistics").encode(tile[None])[0], strict=True))
    hue, saturation, _ = np.moveaxis(color.rgb2hsv(tile), -1, 0)
    assert np.isclose(features["red_mean"], tile[..., 0].mean() / 255, atol=1e-5)
    assert np.isclose(features["blue_std"], tile[..., 2].std() / 255, atol=1e-5)
    assert np.isclose(features["green_q75"], np.percentile(tile[..., 1], 75) / 255, atol=1e-5)
    assert np.isclose(features["od_green_mean"], -np.log10((tile[..., 1] + 1.0) / 256).mean(), atol=1e-5)
    assert np.isclose(features["saturation_q50"], np.median(saturation), atol=1e-5)
    # skimage's hue runs along a hexagon, ours is the angle in its plane: they differ by up to 1.1 degrees.
    assert np.isclose(features["chroma_x_mean"], (saturation * np.cos(2 * np.pi * hue)).mean(), atol=0.005)
    assert np.isclose(features["chroma_y_mean"], (saturation * np.sin(2 * np.pi * hue)).mean(), atol=0.005)


def test_it_sees_no_arrangement():
    rng = np.random.default_rng(0)
    tile = data.immunohistochemistry()[:224, :224]
    shuffled = rng.permutation(tile.reshape(-1, 3)).reshape(tile.shape)
    first, second = create_encoder("colour-statistics").encode(np.stack([tile, shuffled]))
    np.testing.assert_allclose(first, second, atol=1e-4)


def test_black_and_grey_tiles_have_finite_features():
    tiles = np.stack([np.full((256, 256, 3), level, np.uint8) for level in (0, 128, 255)])
    features = create_encoder("colour-statistics", tile_px=256).encode(tiles)
    assert features.shape == (3, 63)
    assert np.isfinite(features).all()


def test_quantiles_are_numpys():
    rows = np.sort(np.random.default_rng(0).normal(size=(3, 1000)).astype(np.float32), axis=1)
    np.testing.assert_allclose(
        quantiles(rows, (0.0, 0.1, 0.5, 1.0)), np.quantile(rows, (0, 0.1, 0.5, 1), axis=1), atol=1e-6
    )
