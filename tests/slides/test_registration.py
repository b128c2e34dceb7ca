"""Registration finds a known map and refuses what it cannot register."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.transform import SimilarityTransform, warp

from scangen_bundle.slides.registration import RegistrationError, register


def tissue(seed, size=420):
    """A field of blobs on white, [size, size, 3], 0 to 255."""
    generator = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(generator.normal(size=(size, size)), 4) + ndimage.gaussian_filter(
        generator.normal(size=(size, size)), 12
    )
    density = np.clip(noise / noise.std(), 0, 3) / 3
    inside = np.hypot(*(np.indices((size, size)) - size / 2)) < size * 0.42
    return 255 - (density * inside)[..., None] * np.array([90.0, 170.0, 80.0])


@pytest.mark.parametrize(
    ("scale", "degrees", "shift"), [(1.0, 0.0, (40, 25)), (0.9, 5.0, (40, 10)), (1.1, 90.0, (460, 10))]
)
def test_a_known_map_is_found_under_another_colour_response(scale, degrees, shift):
    fixed = tissue(1)
    true = SimilarityTransform(scale=scale, rotation=np.radians(degrees), translation=shift)
    moving = warp(fixed, true.inverse, output_shape=(560, 560), cval=255, order=3)
    moving = 255 * (np.clip(moving, 1, 255) / 255) ** 1.4 * np.array([0.95, 0.9, 0.97])
    found = register(fixed, moving, 5.0)
    assert found.scale == pytest.approx(scale, abs=0.005)
    assert found.rotation_degrees == pytest.approx(degrees, abs=0.3)
    assert found.error_um < 5.0
    points = np.array([[500.0, 600.0], [1500.0, 900.0]])
    expected = true(points / 5.0 - 0.5) * 5.0 + 2.5
    assert np.abs(found.apply(points) - expected).max() < 5.0


def test_two_different_specimens_are_refused():
    with pytest.raises(RegistrationError, match=r"matches agree|features match"):
        register(tissue(1), tissue(7), 5.0)


def test_an_empty_overview_is_refused():
    with pytest.raises(RegistrationError, match="nothing but glass"):
        register(tissue(1), np.full((300, 300, 3), 240.0), 5.0)


@pytest.mark.parametrize("slide", ["563479_1", "574162_1"])
def test_four_scanner_cytology_is_registered(real_data, slide):
    from scangen_bundle.slides import open_slide
    from scangen_bundle.slides.overview import read_overview

    overviews = {}
    for scanner, suffix in (("A", "svs"), ("N1", "ndpi"), ("N2", "ndpi"), ("Z", "tif")):
        with open_slide(real_data / "multiscanner_cytology" / f"{scanner}_BB_{slide}.{suffix}") as reader:
            overviews[scanner] = read_overview(reader, (12.0, 12.0))
    maps = {}
    for fixed, moving in (("A", "N1"), ("A", "N2"), ("A", "Z"), ("N2", "Z"), ("Z", "N1")):
        maps[fixed + moving] = found = register(overviews[fixed], overviews[moving], 3.0)
        assert found.error_um < 6.0  # two overview pixels
        assert abs(found.rotation_degrees) < 2
    # going round by a third scan leads to the same place: an answer that no single registration knows of
    points = np.array([[400.0, 400.0], [800.0, 500.0], [600.0, 800.0]])
    round_z = maps["N2Z"].apply(maps["AN2"].apply(points))
    assert np.abs(round_z - maps["AZ"].apply(points)).max() < 12
    round_n1 = maps["ZN1"].apply(round_z)
    assert np.abs(round_n1 - maps["AN1"].apply(points)).max() < 20
