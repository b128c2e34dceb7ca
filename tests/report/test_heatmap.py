"""Attention lands where its tile is, with the slide's physical size."""

import nibabel
import numpy as np
import pytest

from scangen_bundle.report.heatmap import attention_heatmap, nifti_bytes, overlay, scale_end, scale_top, write_overlay


def brute_force(coords, attention, tile, size, per_tile):
    """Mean of the tiles that cover a raster pixel, pixel by pixel."""
    pixel = np.array(tile) / per_tile
    width, height = np.ceil(np.array(size) / pixel).astype(int)
    values = np.full((height, width), np.nan)
    for row in range(height):
        for column in range(width):
            covering = [
                weight * len(coords)
                for (x, y), weight in zip(coords, attention, strict=True)
                if 0 <= column - round(x / pixel[0]) < per_tile and 0 <= row - round(y / pixel[1]) < per_tile
            ]
            if covering:
                values[row, column] = np.mean(covering)
    return values


@pytest.mark.parametrize("stride", [1.0, 0.5])
def test_each_pixel_is_the_mean_of_the_tiles_that_cover_it(stride):
    generator = np.random.default_rng(0)
    tile = 507.4, 480.0
    cells = np.array([(x, y) for x in range(5) for y in range(4)])[generator.permutation(20)[:13]]
    coords = np.rint(cells * np.array(tile) * stride).astype(int)
    attention = generator.dirichlet(np.ones(13))
    size = (2800, 2100)
    heatmap = attention_heatmap(coords, attention, tile, size, (0.22, 0.23), pixels_per_tile=4)
    np.testing.assert_allclose(heatmap.values, brute_force(coords, attention, tile, size, 4), rtol=1e-5)
    assert heatmap.pixel_um == pytest.approx((507.4 / 4 * 0.22, 480 / 4 * 0.23))


def test_equal_attention_is_one_everywhere():
    coords = np.array([[0, 0], [100, 0], [0, 100]])
    heatmap = attention_heatmap(coords, np.full(3, 1 / 3), (100, 100), (300, 200), (0.5, 0.5))
    assert np.nanmin(heatmap.values) == np.nanmax(heatmap.values) == pytest.approx(1)
    assert np.isnan(heatmap.values[-1, -1])


def test_nifti_keeps_place_and_millimetres(tmp_path):
    coords = np.array([[0, 0], [2000, 1000]])
    heatmap = attention_heatmap(coords, np.array([0.25, 0.75]), (1000, 1000), (4000, 2000), (0.5, 0.25))
    (tmp_path / "a.nii.gz").write_bytes(nifti_bytes(heatmap))
    image = nibabel.load(tmp_path / "a.nii.gz")
    assert image.shape == (16, 8, 1)
    assert image.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_allclose(image.header.get_zooms()[:2], (0.125, 0.0625))
    # the second tile starts 1 mm right and 0.25 mm down; ITK's axes are the NIfTI ones with x and y turned round
    centre = image.affine @ [8, 4, 0, 1]
    np.testing.assert_allclose(-centre[:2], [1.0, 0.25])
    data = image.get_fdata()
    assert data[8, 4, 0] == pytest.approx(1.5)
    assert data[0, 0, 0] == pytest.approx(0.5)
    assert data[15, 7, 0] == 0


def test_the_overlay_colours_tiles_and_leaves_the_rest_alone(tmp_path):
    thumbnail = np.full((100, 200, 3), 200, dtype=np.uint8)
    heatmap = attention_heatmap(np.array([[0, 0]]), np.array([1.0]), (1000, 1000), (2000, 1000), (0.5, 0.5))
    assert scale_top(heatmap) == 2  # all tiles alike: the middle of the scale
    picture = overlay(heatmap, thumbnail, top=2)
    assert (picture[:, :100] != 200).any(axis=2).all()
    assert (picture[:, 100:] == 200).all()
    write_overlay(heatmap, thumbnail, tmp_path / "a.png", "slide")
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_the_scale_is_open_where_a_tile_has_more_attention_than_its_top():
    coords = np.array([[100 * i, 0] for i in range(400)])
    attention = np.full(400, 0.5 / 399)
    attention[7] = 0.5  # 200 times the mean, beyond the 99th percentile
    peaked = attention_heatmap(coords, attention, (100, 100), (40_000, 200), (0.5, 0.5))
    level = attention_heatmap(coords, np.full(400, 1 / 400), (100, 100), (40_000, 200), (0.5, 0.5))
    assert scale_end([level, peaked], scale_top(peaked)) == "max"
    assert scale_end([level], scale_top(level)) == "neither"


def test_a_weight_without_a_tile_is_refused():
    with pytest.raises(ValueError, match="2 tiles and 1 weights"):
        attention_heatmap(np.zeros((2, 2)), np.ones(1), (1, 1), (2, 2), (1, 1))
