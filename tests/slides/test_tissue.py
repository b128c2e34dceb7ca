from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from monai.bundle import ConfigParser
from scipy import ndimage

from scangen_bundle.errors import InputError
from scangen_bundle.phantom import make_phantom_cohort
from scangen_bundle.slides import TissueMask, open_slide, tissue_mask
from scangen_bundle.slides.tissue import find_tissue, glass_white
from scangen_bundle.testing import FakeReader
from tests.conftest import ROOT

MPP = (8.0, 8.0)
GLASS = np.array([243.0, 240.0, 244.0])
EOSIN = np.array([0.05, 0.45, 0.22])  # optical densities
HAEMATOXYLIN = np.array([0.62, 0.72, 0.35])


def tissue_density(shape: tuple[int, int] = (300, 400)) -> tuple[np.ndarray, np.ndarray]:
    """A blob of eosin with islands of haematoxylin, and where it is: density [h, w, 3], bool [h, w]."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    angle = np.arctan2(y - 150, x - 180)
    blob = np.hypot(y - 150, x - 180) < 90 + 12 * np.sin(5 * angle)
    islands = blob & (np.sin(x / 9) * np.sin(y / 7) > 0.3)
    amount = ndimage.gaussian_filter(blob.astype(float), 1.5)
    nuclei = ndimage.gaussian_filter(islands.astype(float), 1.0)
    return amount[..., None] * EOSIN + nuclei[..., None] * HAEMATOXYLIN, blob


def picture(density: np.ndarray, white: np.ndarray = GLASS, gamma: float = 1.0, noise: float = 1.0) -> np.ndarray:
    random = np.random.default_rng(0)
    clean = white * 10 ** (-gamma * density)
    return np.clip(clean + random.normal(0, noise, density.shape), 0, 255).round().astype(np.uint8)


def area(image: np.ndarray) -> int:
    return int(find_tissue(image.astype(np.float32), MPP).sum())


def test_tissue_is_found_where_it_is() -> None:
    density, blob = tissue_density()
    found = find_tissue(picture(density).astype(np.float32), MPP)
    assert (found & blob).sum() / (found | blob).sum() > 0.95


@pytest.mark.parametrize(
    ("white", "gamma"),
    [
        ((255.0, 255.0, 255.0), 1.0),
        ((236.0, 231.0, 228.0), 1.0),
        ((205.0, 212.0, 220.0), 1.0),
        ((243.0, 240.0, 244.0), 0.6),
        ((243.0, 240.0, 244.0), 1.6),
        ((225.0, 235.0, 250.0), 1.3),
    ],
)
def test_area_does_not_depend_on_white_point_gain_or_gamma(white: tuple[float, ...], gamma: float) -> None:
    density, _ = tissue_density()
    reference = area(picture(density))
    assert area(picture(density, np.array(white), gamma)) == pytest.approx(reference, rel=0.05)


def test_area_does_not_depend_on_how_saturated_the_scanner_shows_stain() -> None:
    density, _ = tissue_density()
    grey = density.mean(axis=-1, keepdims=True)
    for saturation in (0.7, 1.3):
        shown = np.maximum(grey + saturation * (density - grey), 0)
        assert area(picture(shown)) == pytest.approx(area(picture(density)), rel=0.05)


def test_area_does_not_depend_on_the_unscanned_white_around() -> None:
    density, _ = tissue_density()
    image = picture(density)
    framed = np.full((500, 800, 3), 255, np.uint8)
    framed[100:400, 200:600] = image
    assert area(framed) == pytest.approx(area(image), rel=0.02)


def empty_slides() -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    shape = (300, 400, 3)
    y, x = np.mgrid[-1:1:300j, -1:1:400j]
    vignette = (1 - 0.15 * (x**2 + y**2))[..., None]
    return {
        "white": np.full(shape, 255.0),
        "tinted": np.full(shape, 1.0) * (236, 231, 228),
        "noisy": 240 + random.normal(0, 12, shape),
        "noisy, alike in all colours": 240 + random.normal(0, 12, (300, 400, 1)) * np.ones(3),
        "vignetted": np.array([240, 236, 244]) * vignette + random.normal(0, 2, shape),
        "half scanned": np.where(x[..., None] < 0, np.array([241.0, 236.0, 239.0]), 255.0),
        "black": np.zeros(shape),
        "grey": np.full(shape, 128.0),
    }


@pytest.mark.parametrize("kind", empty_slides())
def test_an_empty_slide_has_no_tissue(kind: str) -> None:
    assert area(np.clip(empty_slides()[kind], 0, 255).round()) == 0


@pytest.mark.parametrize(
    "ink",
    [(20, 20, 22), (25, 45, 160), (20, 120, 60), (215, 25, 40), (60, 60, 60)],
    ids=["black", "blue", "green", "red", "dark grey"],
)
def test_ink_beside_tissue_is_no_tissue_and_leaves_the_tissue_alone(ink: tuple[int, int, int]) -> None:
    density, blob = tissue_density()
    image = picture(density).astype(np.float64)
    line = np.zeros(blob.shape)
    line[20:280, 340:355] = 1
    line = ndimage.gaussian_filter(line, 1.0)[..., None]  # a soft edge, as a pen has
    marked = image * (1 - line) + np.array(ink) * line
    found = find_tissue(marked.astype(np.float32), MPP)
    assert not found[:, 325:].any()
    assert found.sum() == pytest.approx(area(image), rel=0.05)


def test_a_dark_bar_is_no_tissue_and_leaves_the_tissue_alone() -> None:
    density, _ = tissue_density()
    image = picture(density)
    barred = image.copy()
    barred[:, :25] = 3
    barred[285:] = 8
    found = find_tissue(barred.astype(np.float32), MPP)
    assert not found[:, :28].any()
    assert not found[282:].any()
    assert found.sum() == pytest.approx(area(image), rel=0.05)


@pytest.mark.parametrize("tint", [(40, 25, 30), (60, 45, 40), (30, 22, 18), (12, 8, 10)])
def test_a_dark_bar_with_a_tint_is_no_tissue_on_an_empty_slide_nor_beside_tissue(tint: tuple[int, int, int]) -> None:
    random = np.random.default_rng(2)
    density, _ = tissue_density()
    for image in (picture(np.zeros_like(density)), picture(density)):
        barred = image.astype(np.float32)
        barred[:40] = np.array(tint) + random.normal(0, 0.5, (40, 400, 3))
        barred[40] = (barred[39] + barred[41]) / 2
        found = find_tissue(barred, MPP)
        assert not found[:44].any()
        assert found.sum() == pytest.approx(area(image), rel=0.05)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((0.65, 0.70, 0.29), (0.27, 0.57, 0.78)),
        ((0.65, 0.70, 0.29), (0.175, 0.97, 0.15)),
        ((0.83, 0.51, 0.2), (0.6, 0.75, 0.3)),
    ],
    ids=["DAB over haematoxylin, together nearly neutral", "PAS", "dark Giemsa"],
)
def test_dark_stains_with_texture_are_no_bar(one: tuple[float, ...], other: tuple[float, ...]) -> None:
    _, blob = tissue_density()
    random = np.random.default_rng(3)
    textures = [ndimage.gaussian_filter(random.normal(size=blob.shape), sigma) * 3 * sigma for sigma in (3, 5)]
    amounts = [blob * np.clip(0.6 + 0.2 * texture, 0.05, None) for texture in textures]
    stained = amounts[0][..., None] * one + amounts[1][..., None] * other
    found = find_tissue(picture(stained).astype(np.float32), MPP)
    assert (found & blob).sum() > 0.95 * blob.sum()


def test_glass_white_is_the_glass_and_not_the_fill_nor_pale_tissue() -> None:
    density, _ = tissue_density()
    image = picture(density).astype(np.float32)
    image[:100] = 255
    np.testing.assert_allclose(glass_white(image), GLASS, atol=1.5)


def test_area_in_micrometres_does_not_depend_on_mpp_or_levels() -> None:
    density, _ = tissue_density((300, 400))
    areas = []
    for factor, downsamples in ((4, (1,)), (4, (1, 2, 4)), (3, (1, 2))):
        image = picture(np.kron(density, np.ones((factor, factor, 1))), noise=3.0)
        reader = FakeReader(image, mpp=8 / factor, downsamples=downsamples)
        areas.append(tissue_mask(reader).area_mm2)
    assert areas == pytest.approx([areas[0]] * 3, rel=0.02)


def test_a_slide_coarser_than_the_mask_is_masked_at_its_own_resolution() -> None:
    density, blob = tissue_density()
    found = tissue_mask(FakeReader(picture(density), mpp=12.0))
    assert found.mask.shape == blob.shape
    assert found.mpp == (12.0, 12.0)
    assert found.scale == (1.0, 1.0)


def test_without_a_resolution_the_user_is_asked_for_one() -> None:
    reader = FakeReader(np.full((64, 64, 3), 255, np.uint8), mpp=None)
    with pytest.raises(InputError, match="mpp"):
        tissue_mask(reader)
    assert tissue_mask(reader, source_mpp=0.5).area_um2 == 0


def test_area_counts_px_of_both_axes() -> None:
    mask = TissueMask(np.eye(4, dtype=bool), (8.0, 4.0), (16.0, 8.0))
    assert mask.area_um2 == 4 * 32
    assert mask.area_mm2 == pytest.approx(4 * 32e-6)
    assert mask.source_mpp == (0.5, 0.5)


# The Aperio scan's mpp over that of each scan of the same slide, from the files' common geometry: SIFT on level 2,
# then a similarity by RANSAC (11 to 196 inliers, 2 to 3 px of level 0 rms). The absolute value is an estimate: the dot of
# a 6 mm cytospin funnel is about 4,000 px wide. Only the ratios bear on the agreement.
CYTOLOGY_MPP = 1.5
CYTOLOGY_SCALE = {
    "563479": {"A": 1.0, "N1": 0.94728, "N2": 1.12479, "Z": 0.98059},
    "574162": {"A": 1.0, "N1": 0.66861, "N2": 0.94488, "Z": 0.85512},
}


@pytest.mark.parametrize("specimen", CYTOLOGY_SCALE)
def test_cytology_area_of_one_specimen_agrees_over_four_scanners_within_5_percent(real_data, specimen: str) -> None:
    """The cells of a cytospin lie apart, so its area is where cells are less than 400 µm apart: a wide closing."""
    smear = ConfigParser.load_config_files([ROOT / "configs" / "tissue" / "smear.yaml"])["tissue"]
    areas = []
    for scanner, scale in CYTOLOGY_SCALE[specimen].items():
        (path,) = (real_data / "multiscanner_cytology").glob(f"{scanner}_BB_{specimen}_1.*")
        with open_slide(path) as reader:
            mask = tissue_mask(reader, source_mpp=CYTOLOGY_MPP / scale, **smear)
        areas.append(mask.area_mm2)
    assert max(areas) / min(areas) < 1.05
    assert min(areas) > 20  # a dot of 6 mm has 28 mm²


def test_phantom_area_of_one_specimen_agrees_over_its_scanners_within_5_percent(tmp_path) -> None:
    """Six scanners with their own colours, white points, sharpness, noise and mpp; the settings for sections."""
    scans = pd.read_csv(make_phantom_cohort(tmp_path, specimens=2, workers=2))
    assert scans.groupby("specimen_id").scanner.nunique().tolist() == [6, 6]
    for _, specimen in scans.groupby("specimen_id"):
        areas = []
        for path in specimen.slide_path:
            with open_slide(tmp_path / path) as reader:
                areas.append(tissue_mask(reader).area_mm2)
        assert max(areas) / min(areas) < 1.05
        assert 0.1 < min(areas) < 0.56**2


def test_real_slides_hold_the_tissue_that_is_seen_on_them(real_data) -> None:
    """Bounds are from looking at the outlines over the pictures."""
    with open_slide(real_data / "slides" / "cmu-1-small-region.svs") as reader:
        assert 0.35 < tissue_mask(reader).mask.mean() < 0.43
    with open_slide(real_data / "slides" / "tcga-cr-7395-01a-01-ts1.svs") as reader:
        assert 0.58 < tissue_mask(reader, source_mpp=0.5).mask.mean() < 0.68
