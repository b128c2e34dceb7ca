"""Our readers inside MONAI's own transforms and datasets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from monai.data import PatchWSIDataset
from monai.transforms import LoadImage, LoadImaged

from scangen_bundle.slides.monai_adapter import SlideImageReader
from scangen_bundle.testing import draw_tissue, make_slide, pyramid

IMAGE = draw_tissue(600, 400)


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_slide(tmp_path_factory.mktemp("monai") / "slide.tif", IMAGE, (0.5, 0.25), levels=2, coding="deflate")


@pytest.mark.parametrize("backend", ["auto", "openslide"])
def test_load_image_gives_a_level_channel_first_with_its_metadata(slide: Path, backend: str) -> None:
    image = LoadImage(reader=SlideImageReader(backend=backend, level=1))(str(slide))
    np.testing.assert_array_equal(image.numpy(), np.moveaxis(pyramid(IMAGE, 2)[1], -1, 0))
    assert image.meta["path"] == str(slide)
    loaded = LoadImaged("image", reader=SlideImageReader, level=0)({"image": str(slide)})
    assert loaded["image"].shape == (3, 400, 600)


def test_patch_dataset_takes_the_reader_and_cuts_where_it_is_told(slide: Path) -> None:
    samples = [{"image": str(slide), "location": [120, 40]}, {"image": str(slide), "location": [-10, 590]}]
    dataset = PatchWSIDataset(samples, 64, reader=SlideImageReader(), include_label=False, center_location=False)
    np.testing.assert_array_equal(dataset[0]["image"].numpy(), np.moveaxis(IMAGE[120:184, 40:104], -1, 0))
    edge = np.asarray(dataset[1]["image"])
    assert (edge[:, :10] == 255).all()
    assert (edge[:, :, 10:] == 255).all()
    np.testing.assert_array_equal(edge[:, 10:, :10], np.moveaxis(IMAGE[:54, 590:], -1, 0))


def test_sizes_and_resolutions_are_in_monais_order(slide: Path) -> None:
    reader = SlideImageReader()
    wsi = reader.read(str(slide))
    assert reader.get_level_count(wsi) == 2
    assert reader.get_size(wsi, 1) == (200, 300)
    assert reader.get_mpp(wsi, 1) == pytest.approx((0.5, 1.0))
    assert reader.get_downsample_ratio(wsi, 1) == 2.0
    patch, meta = reader.get_data(wsi, location=(20, 30), size=(50, 70), mpp=(0.25, 0.5))
    np.testing.assert_array_equal(patch, np.moveaxis(IMAGE[20:70, 30:100], -1, 0))
    assert meta["level"] == 0


def test_what_the_file_does_not_say_is_an_error(tmp_path: Path) -> None:
    path = make_slide(tmp_path / "bare.tif", IMAGE, None, levels=1)
    reader = SlideImageReader()
    with pytest.raises(ValueError, match=r"bare\.tif.*no mpp"):
        reader.get_mpp(reader.read(str(path)), 0)
    with pytest.raises(ValueError, match=r"bare\.tif.*objective power"):
        reader.get_power(reader.read(str(path)), 0)
