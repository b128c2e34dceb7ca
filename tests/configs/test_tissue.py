"""Every shipped tissue overlay is understood by the jobs that it is merged into, and does what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from monai.bundle import ConfigParser
from scipy import ndimage

from scangen_bundle.cohort.manifest import TISSUES
from scangen_bundle.extraction.work import check_options
from scangen_bundle.slides.tissue import TISSUE_OPTIONS, find_tissue
from tests.conftest import ROOT

CONFIGS = sorted((ROOT / "configs" / "tissue").glob("*.yaml"))
MASK_MPP = 8.0


@pytest.mark.parametrize("job", ["extract_features", "audit", "benchmark"])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_each_tissue_config_changes_what_a_job_is_given(config: Path, job: str) -> None:
    base = ROOT / "configs" / f"{job}.yaml"
    assert ConfigParser.load_config_files([base])["tissue"] == {}
    options = ConfigParser.load_config_files([base, config])["tissue"]
    assert options
    check_options("tissue", options)
    assert "'@tissue'" in base.read_text()


def smear(blur_um: float) -> np.ndarray:
    """A dot of 2 mm of cells some 120 µm apart, as a scanner of that focus shows it: overview [h, w, 3] of 8 µm px."""
    random = np.random.default_rng(0)
    side, fine = 1200, 2.0
    places = np.stack(np.meshgrid(*[np.arange(0, side, 60)] * 2), axis=-1).reshape(-1, 2) + random.integers(
        -18, 19, (400, 2)
    )
    inside = np.hypot(*(places - side / 2).T) * fine < 1000
    x, y = places[inside].T
    cells = np.zeros((side, side))
    cells[y, x] = 1
    cells = ndimage.binary_dilation(cells, iterations=4).astype(float)  # 8 µm in radius
    amount = ndimage.gaussian_filter(cells, max(blur_um / fine, 0.1))
    light = np.array([243.0, 240.0, 244.0]) * 10 ** (-amount[..., None] * [0.35, 0.45, 0.2])
    block = round(MASK_MPP / fine)
    overview = light.reshape(side // block, block, side // block, block, 3).mean((1, 3))
    return np.clip(overview + random.normal(0, 1, overview.shape), 0, 255).astype(np.float32)


def test_the_area_of_a_smear_does_not_depend_on_focus_with_its_config() -> None:
    options = ConfigParser.load_config_files([ROOT / "configs" / "tissue" / "smear.yaml"])["tissue"]
    pictures = [smear(blur_um) for blur_um in (0.0, 3.0, 6.0)]
    areas = [find_tissue(picture, (MASK_MPP,) * 2, **options).sum() * MASK_MPP**2 for picture in pictures]
    assert max(areas) / min(areas) < 1.05
    # The outermost cells lie within one distance of cells from the dot's edge.
    assert np.pi * (1000 - 120) ** 2 < areas[0] < np.pi * 1000**2
    # With the settings for sections single cells are too small to be tissue.
    assert not any(find_tissue(picture, (MASK_MPP,) * 2).any() for picture in pictures)


def test_the_manifests_kinds_of_tissue_are_the_configs() -> None:
    assert tuple(TISSUE_OPTIONS) == TISSUES
    for path in CONFIGS:
        assert ConfigParser.load_config_files([path])["tissue"] == TISSUE_OPTIONS[path.stem]
