"""Preprocessing against PIL, with which the published models were trained."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from scangen_bundle.encoders import ENCODERS
from scangen_bundle.encoders.preprocess import normalise, resize_and_crop, resize_tiles

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def tile(side):
    return np.ascontiguousarray(data.immunohistochemistry()[:side, :side])


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("side", [256, 512, 200])
def test_resizing_agrees_with_pil_to_two_grey_levels(side, interpolation):
    spec = replace(ENCODERS["uni"].spec, interpolation=interpolation)
    expected = np.asarray(Image.fromarray(tile(side)).resize((224, 224), FILTERS[interpolation]))
    difference = np.abs(resize_tiles(tile(side)[None], spec)[0].astype(int) - expected)
    assert difference.max() <= 2
    assert difference.mean() < 0.3


def test_gigapath_sees_the_middle_of_its_tile_untouched():
    seen = resize_tiles(tile(256)[None], ENCODERS["prov-gigapath"].spec)
    np.testing.assert_array_equal(seen[0], tile(256)[16:240, 16:240])


def test_a_tile_of_the_right_side_is_left_alone():
    tiles = torch.from_numpy(tile(224)).permute(2, 0, 1)[None]
    assert torch.equal(resize_and_crop(tiles, ENCODERS["virchow"].spec), tiles)


def test_normalising_is_the_cards_arithmetic_per_channel():
    spec = ENCODERS["h-optimus-0"].spec
    pixels = tile(224)
    out = normalise(torch.from_numpy(pixels).permute(2, 0, 1)[None], spec)[0].numpy()
    for channel in range(3):
        expected = (pixels[..., channel] / 255.0 - spec.mean[channel]) / spec.std[channel]
        np.testing.assert_allclose(out[channel], expected, atol=1e-5)
