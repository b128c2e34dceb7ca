"""What is read from the directories of a tiled TIFF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from scangen_bundle.errors import InputError
from scangen_bundle.slides.tiff_pyramid import read_tiff_pyramid
from scangen_bundle.testing import draw_tissue, make_slide
from tests.slides.generated import aperio_description

IMAGE = draw_tissue(600, 300)
OPTIONS = {"tile": (256, 256), "photometric": "rgb", "compression": "deflate", "metadata": None, "software": False}


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [((40000, 20000), "CENTIMETER", (0.25, 0.5)), ((50800, 25400), "INCH", (0.5, 1.0)), ((40000, 40000), "NONE", None)],
)
def test_resolution_tags_are_pixels_per_inch_or_centimetre(tmp_path: Path, resolution, unit, expected) -> None:
    tifffile.imwrite(tmp_path / "slide.tif", IMAGE, resolution=resolution, resolutionunit=unit, **OPTIONS)
    mpp = read_tiff_pyramid(tmp_path / "slide.tif").mpp
    assert mpp == (None if expected is None else pytest.approx(expected))


def test_aperio_fields_are_taken_from_the_description_and_its_thumbnail_is_no_level(tmp_path: Path) -> None:
    path = tmp_path / "slide.svs"
    description = aperio_description(IMAGE, 0.2524)
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(IMAGE, description=description, **OPTIONS)
        tiff.write(IMAGE[::4, ::4], description=description, photometric="rgb", rowsperstrip=16, metadata=None)
        tiff.write(IMAGE[::2, ::2], description=description, **OPTIONS)
    pyramid = read_tiff_pyramid(path)
    assert [level.size for level in pyramid.levels] == [(600, 300), (300, 150)]
    assert pyramid.mpp == (0.2524, 0.2524)
    assert pyramid.properties["aperio.ScanScope ID"] == "CPAPERIOCS"
    assert pyramid.properties["openslide.vendor"] == "aperio"


def test_a_page_that_is_no_reduced_image_is_no_level_of_a_generic_tiff(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "stack.tif") as tiff:
        tiff.write(IMAGE, **OPTIONS)
        tiff.write(np.ascontiguousarray(IMAGE[::2, ::-2]), **OPTIONS)
    assert len(read_tiff_pyramid(tmp_path / "stack.tif").levels) == 1


def test_straight_alpha_is_laid_over_white(tmp_path: Path) -> None:
    rgba = np.dstack([IMAGE, np.full(IMAGE.shape[:2], 255, np.uint8)])
    rgba[:, :100, 3] = 0
    options = OPTIONS | {"extrasamples": ["unassalpha"]}
    tifffile.imwrite(tmp_path / "alpha.tif", rgba, **options)
    level = read_tiff_pyramid(tmp_path / "alpha.tif").levels[0]
    out = np.empty((256, 256, 3), np.uint8)
    with open(tmp_path / "alpha.tif", "rb") as file:
        data = level.read_tile(file.fileno(), 0, tmp_path)
    assert data is not None
    level.decode(data, 0, out)
    assert (out[:, :100] == 255).all()
    np.testing.assert_array_equal(out[:, 100:], IMAGE[:256, 100:256])


def test_a_directory_that_points_beyond_the_end_is_named(tmp_path: Path) -> None:
    path = make_slide(tmp_path / "slide.tif", IMAGE, levels=2)
    with tifffile.TiffFile(path) as tiff:
        cut = tiff.pages[1].offset
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match=rf"directory 1 should be at byte {cut}"):
        read_tiff_pyramid(path)


@pytest.mark.parametrize("padding", [b"", b"\x20" * 30, bytes(5000)], ids=["none", "some", "many zeros"])
def test_a_padded_tile_is_whole_and_a_tile_cut_short_is_not(tmp_path: Path, padding: bytes) -> None:
    path = make_slide(tmp_path / "slide.tif", IMAGE, levels=1)
    level = read_tiff_pyramid(path).levels[0]
    with open(path, "rb") as file:
        data = level.read_tile(file.fileno(), 0, path)
    assert data is not None
    assert level.is_complete(data + padding)
    assert not level.is_complete(data[: len(data) // 2] + padding)
