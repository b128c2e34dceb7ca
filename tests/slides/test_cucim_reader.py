"""cuCIM's own way of placing a region, and what it says when it is not there."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from scangen_bundle.errors import InputError
from scangen_bundle.slides import CucimReader, open_slide
from scangen_bundle.slides.cucim_reader import cucim_location
from scangen_bundle.slides.reader import UnsupportedLayout
from scangen_bundle.testing import draw_tissue, make_slide
from tests.slides.generated import leave_out_tiles


@pytest.mark.parametrize("scale", [1.0, 2.0, 4.0, float(np.float32(2.0005055)), float(np.float32(4.0055585)), 16.01])
def test_location_leads_back_to_the_corner_when_it_is_divided_and_rounded_down(scale: float) -> None:
    for corner in (0, 1, 2, 99, 1000, 12345):
        x, y = cucim_location([corner, corner + 1], scale)
        assert (int(x / scale), int(y / scale)) == (corner, corner + 1)


def test_without_cucim_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "cucim", None)
    path = make_slide(tmp_path / "slide.tif", draw_tissue(300, 300), levels=1)
    with pytest.raises(InputError, match="pip install --no-deps cucim"):
        CucimReader(path)


def test_a_missing_resolution_is_missing_and_not_one(tmp_path: Path) -> None:
    cucim = pytest.importorskip("cucim")
    path = make_slide(tmp_path / "slide.tif", draw_tissue(300, 300), mpp=None, levels=1)
    assert cucim.CuImage(str(path)).spacing()[:2] == [1.0, 1.0]  # the trap
    with CucimReader(path) as reader:
        assert reader.mpp is None


IMAGE = draw_tissue(600, 300)


def refused(path: Path, problem: str) -> None:
    """cuCIM says that it would misread the slide, and the automatic choice reads it."""
    pytest.importorskip("cucim")
    with pytest.raises(UnsupportedLayout, match=f"{problem}.*backend tifffile"):
        CucimReader(path)
    assert open_slide(path).backend != "cucim"


@pytest.mark.parametrize("coding", ["lzw", "lzw-2", "zstd", "packbits", "webp", "deflate-2"])
def test_codings_that_it_misreads_or_crashes_at_are_left_to_another_reader(tmp_path: Path, coding: str) -> None:
    path = make_slide(tmp_path / "slide.tif", IMAGE, coding=coding)
    refused(path, "predictor 2" if coding == "deflate-2" else "compression")


@pytest.mark.parametrize("coding", ["ycbcr", "rgb", "jpeg2000", "deflate", "none"])
def test_codings_that_it_reads_give_the_pixels_of_tifffile(tmp_path: Path, coding: str) -> None:
    pytest.importorskip("cucim")
    path = make_slide(tmp_path / "slide.tif", IMAGE, coding=coding)
    ours = open_slide(path, "tifffile").read_region(50, 20, 0, 500, 250)
    assert np.abs(CucimReader(path).read_region(50, 20, 0, 500, 250).astype(int) - ours).max() <= 2


def test_tiles_left_out_and_transparency_are_left_to_another_reader(tmp_path: Path) -> None:
    refused(leave_out_tiles(make_slide(tmp_path / "sparse.tif", IMAGE), 1, [0]), "leaves out tiles")
    rgba = np.dstack([IMAGE, np.full(IMAGE.shape[:2], 99, np.uint8)])
    options = {"tile": (256, 256), "photometric": "rgb", "extrasamples": ["unassalpha"], "metadata": None}
    tifffile.imwrite(tmp_path / "alpha.tif", rgba, compression="deflate", **options)
    refused(tmp_path / "alpha.tif", "transparency")
