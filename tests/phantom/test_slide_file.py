from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
import pytest

from scangen_bundle.phantom.scanners import SCANNERS, Scanner
from scangen_bundle.phantom.slide_file import write_slide


def slide_of(folder: Path, scanner: Scanner) -> Path:
    return folder / "slides" / f"spec000_{scanner.name}.{scanner.container}"


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda s: s.name)
def test_openslide_reads_levels_and_the_profile_s_mpp(tiny_cohort: Path, scanner: Scanner) -> None:
    with openslide.OpenSlide(slide_of(tiny_cohort, scanner)) as slide:
        side = int(300.0 / scanner.mpp)
        assert slide.level_dimensions[0] == (side, side)
        step = 4 if scanner.container == "svs" else 2
        for level, (width, height) in enumerate(slide.level_dimensions):
            assert abs(width - side / step**level) <= 1
            assert width == height
        for axis in "xy":
            assert float(slide.properties[f"openslide.mpp-{axis}"]) == pytest.approx(scanner.mpp, rel=1e-5)


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda s: s.name)
def test_openslide_sees_the_vendor_s_metadata(tiny_cohort: Path, scanner: Scanner) -> None:
    with openslide.OpenSlide(slide_of(tiny_cohort, scanner)) as slide:
        properties = dict(slide.properties)
        if scanner.container == "svs":
            assert properties["openslide.vendor"] == "aperio"
            assert properties["aperio.AppMag"] == str(scanner.magnification)
            assert properties["aperio.ScanScope ID"] == scanner.name.upper()
            assert properties["aperio.ScannerType"] == scanner.model
            assert "thumbnail" in slide.associated_images
        else:
            assert properties["openslide.vendor"] == "generic-tiff"
            assert f"{properties['tiff.Make']} {properties['tiff.Model']}" == scanner.model


@pytest.mark.parametrize("container", ["svs", "tif"])
def test_every_level_shows_the_colours_that_were_written(tmp_path: Path, container: str) -> None:
    scanner = next(s for s in SCANNERS if s.container == container)
    quarters = np.array([[[200, 60, 120], [60, 40, 150]], [[240, 240, 240], [30, 160, 90]]], np.uint8)
    pixels = quarters.repeat(1024, axis=0).repeat(1024, axis=1)
    path = tmp_path / f"x.{container}"
    write_slide(path, pixels, scanner, "x")
    with openslide.OpenSlide(path) as slide:
        assert slide.level_count > 1
        for level, (width, height) in enumerate(slide.level_dimensions):
            seen = np.asarray(slide.read_region((0, 0), level, (width, height)))[..., :3]
            for row in range(2):
                for column in range(2):
                    middle = seen[height * (2 * row + 1) // 4, width * (2 * column + 1) // 4]
                    assert np.abs(middle.astype(int) - quarters[row, column]).max() <= 6
