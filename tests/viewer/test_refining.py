"""A rough registration becomes exact to a fraction of a pixel, or stays as it was."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.transform import SimilarityTransform, warp

from scangen_bundle.slides.registration import Registration, tissue_signal
from scangen_bundle.viewer.refining import PATCH_PX, choose_places, cut_patches, find_shift, read_patch, refine

SIZE = 2400


class Picture:
    """A slide of one level."""

    level_downsamples = ((1.0, 1.0),)

    def __init__(self, pixels):
        self.pixels = pixels

    def read_region(self, x, y, level, width, height):
        padded = np.pad(self.pixels, ((900, 900), (900, 900), (0, 0)), constant_values=245)
        return padded[y + 900 : y + 900 + height, x + 900 : x + 900 + width]


@pytest.fixture(scope="module")
def tissue():
    noise = np.random.default_rng(0).normal(size=(SIZE, SIZE)).astype(np.float32)
    blobs = ndimage.gaussian_filter(noise, 5) + 2 * ndimage.gaussian_filter(noise, 12)
    density = np.clip(blobs / blobs.std(), 0, 3) / 3
    return (255 - density[..., None] * np.array([90.0, 170.0, 80.0])).astype(np.uint8)


def places():
    return np.random.default_rng(1).uniform(500, SIZE - 500, (400, 2))


@pytest.mark.parametrize(("scale", "degrees"), [(1.0, 0.0), (0.9, 20.0), (1.2, -95.0)])
def test_a_rough_map_becomes_exact(tissue, scale, degrees):
    middle = SimilarityTransform(translation=(-SIZE / 2, -SIZE / 2))
    true = middle + SimilarityTransform(
        scale=scale, rotation=np.radians(degrees), translation=(SIZE / 2 + 30, SIZE / 2 - 20)
    )
    half = SimilarityTransform(translation=(0.5, 0.5))  # warp counts from pixel centres, a map of places from corners
    moved = warp(tissue, (half + true + half.inverse).inverse, cval=245 / 255, preserve_range=False, order=1)
    other = (255 * (np.clip(moved, 0, 1) ** 1.3)).astype(np.uint8)  # another scanner's response
    rough = true + SimilarityTransform(translation=(25, -18))
    patches = cut_patches(Picture(tissue), (1.0, 1.0), places(), step=12.0)
    found = refine(Registration(rough.params, 10.0), patches, Picture(other), (1.0, 1.0))
    points = places()[:50]
    assert np.linalg.norm(found.apply(points) - true(points), axis=1).max() < 0.8
    assert found.error_um < 0.5


def test_other_tissue_leaves_the_map_as_it_was(tissue):
    rough = Registration(np.eye(3), 10.0)
    other = Picture(np.ascontiguousarray(tissue[::-1, ::-1].transpose(1, 0, 2)))
    patches = cut_patches(Picture(tissue), (1.0, 1.0), places(), step=12.0)
    assert refine(rough, patches, other, (1.0, 1.0)) is rough


def test_where_the_overview_is_nearly_as_fine_as_the_slide_nothing_is_done(tissue):
    rough = Registration(np.eye(3), 10.0)
    patches = cut_patches(Picture(tissue), (1.0, 1.0), places(), step=1.5)
    assert patches == []
    assert refine(rough, patches, Picture(tissue), (1.0, 1.0)) is rough


def test_a_shift_is_told_to_the_right_and_down(tissue):
    signal = tissue_signal(tissue)
    first = signal[500 : 500 + PATCH_PX, 500 : 500 + PATCH_PX]
    second = signal[507 : 507 + PATCH_PX, 490 : 490 + PATCH_PX]  # its tissue lies 10 px to the right, 7 px up
    assert find_shift(first, second) == pytest.approx([10, -7], abs=0.2)
    assert find_shift(first, signal[900 : 900 + PATCH_PX, 900 : 900 + PATCH_PX]) is None


def test_a_patch_is_the_slide_around_its_middle(tissue):
    patch = read_patch(Picture(tissue), np.array([600.0, 450.0]), 100, 2.0, (0.5, 0.5))
    expected = tissue[700:1100, 1000:1400].reshape(100, 4, 100, 4, 3).mean(axis=(1, 3))
    assert np.abs(patch - expected).mean() < 3


def test_places_are_spread_over_the_tissue():
    chosen = choose_places(places())
    assert len(chosen) == 16
    assert np.ptp(chosen, axis=0).min() > 800
    assert len(choose_places(np.array([[5.0, 5.0], [5.0, 5.0]]))) == 1
