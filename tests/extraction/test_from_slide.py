"""What other tools' files do not tell comes from the slide."""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from scangen_bundle.bags import open_bag
from scangen_bundle.errors import InputError
from scangen_bundle.extraction import ResolutionAudit
from scangen_bundle.extraction.from_slide import complete_from_slide
from scangen_bundle.slides import TileReader, open_slide, sharpness
from scangen_bundle.testing import make_slide
from tests.bags import layouts_on_disk as disk
from tests.slides.generated import aperio_description

MPP = 0.25
TISSUE_PX = 1024  # a square; the tiles lie on it
CORNERS = np.stack(np.meshgrid(np.arange(4) * 256, np.arange(3) * 256), axis=-1).reshape(-1, 2)


def slide_of(folder: Path, scanner: str = "ScannerType = GT450", mpp: float | None = MPP) -> Path:
    """1,536 px of glass with a square of stained noise in its corner."""
    rng = np.random.default_rng(0)
    image = rng.normal(240, 1, (1536, 1536, 3))
    image[:TISSUE_PX, :TISSUE_PX] = rng.normal((170, 90, 160), 12, (TISSUE_PX, TISSUE_PX, 3))
    image = image.clip(0, 255).astype(np.uint8)
    return make_slide(
        folder / "slide.svs", image, levels=1, coding="deflate", description=aperio_description(image, mpp, scanner)
    )


def clam_of(folder: Path, corners: np.ndarray = CORNERS) -> Path:
    """Tiles of 256 level-0 px in the layout of CLAM, which says nothing of the slide."""
    path = disk.clam(folder, patches=False)[0]
    patches = folder / "patches" / "slide.h5"
    patches.parent.mkdir()
    for file, attributes in ((path, {}), (patches, {"patch_size": 256, "patch_level": 0, "downsample": (1.0, 1.0)})):
        with h5py.File(file, "a") as hdf5:
            hdf5.pop("coords", None)
            hdf5.create_dataset("coords", data=corners.astype(np.int32)).attrs.update(attributes)
    return path


def manifest_of(features: Path, slide: Path, scanner: str, mpp: float = math.nan) -> pd.DataFrame:
    row = ("s", "s", "p", scanner, 0, str(slide), str(features), mpp, "")
    columns = [
        "slide_id",
        "specimen_id",
        "patient_id",
        "scanner",
        "label",
        "slide_path",
        "features_path",
        "mpp",
        "split",
    ]
    return pd.DataFrame([row], columns=columns)


def test_scanner_resolution_tissue_and_sharpness_come_from_the_slide(tmp_path):
    slide = slide_of(tmp_path)
    bag = complete_from_slide(open_bag(clam_of(tmp_path)), slide)
    about = bag.attributes
    assert about["scanner"] == "aperio-gt450"
    assert (about["slide_width"], about["slide_height"]) == (1536, 1536)
    assert bag.source_mpp == bag.tile_mpp() == (MPP, MPP)
    assert about["tissue_mm2"] == pytest.approx((TISSUE_PX * MPP * 1e-3) ** 2, rel=0.05)
    with open_slide(slide) as reader:
        assert about["sharpness"] == pytest.approx(sharpness(TileReader(reader, MPP, 256).read(CORNERS)))


def test_what_the_user_states_wins_over_a_bogus_resolution_of_the_slide(tmp_path):
    slide, features = slide_of(tmp_path, mpp=1000.0), clam_of(tmp_path)
    assert complete_from_slide(open_bag(features), slide).source_mpp is None
    assert complete_from_slide(open_bag(features), slide, source_mpp=0.5).tile_mpp() == (0.5, 0.5)


def test_what_the_file_says_itself_is_kept(tmp_path):
    bag = open_bag(disk.slide2vec(tmp_path))
    bag.coords[:] = CORNERS  # of a small slide
    completed = complete_from_slide(bag, slide_of(tmp_path))
    assert completed.source_mpp == (0.2425, 0.2425)
    assert completed.attributes["encoder"] == "uni2-h"


@pytest.mark.parametrize(("layout", "factor"), [("clam", 8), ("stamp", 4)])
def test_coordinates_of_another_frame_are_refused(tmp_path, layout, factor):
    """In px of the slide 8 times too far; and in micrometres beyond the 384 µm that the slide is wide."""
    path = clam_of(tmp_path, CORNERS * factor) if layout == "clam" else disk.stamp(tmp_path, "current")
    with pytest.raises(InputError, match=r"slide\.h5: its coordinates go from .* expected 0 to .*another frame"):
        complete_from_slide(open_bag(path), slide_of(tmp_path))


def test_the_audit_tells_of_imported_features_what_it_tells_of_ours(tmp_path):
    manifest = manifest_of(clam_of(tmp_path), slide_of(tmp_path), "NanoZoomer S360")
    report = ResolutionAudit(manifest, tmp_path, tmp_path / "out").run()
    assert report.slides.identified.tolist() == ["aperio-gt450"]
    assert np.isfinite(report.slides[["tissue_mm2", "sharpness", "effective_mpp"]].to_numpy(float)).all()
    assert report.flags == ["NanoZoomer S360: s: the file says aperio-gt450"]


def test_the_audit_goes_on_over_a_bad_frame_and_a_bad_slide(tmp_path):
    slide = slide_of(tmp_path)
    frame = ResolutionAudit(manifest_of(clam_of(tmp_path, CORNERS * 8), slide, "GT450"), tmp_path, tmp_path / "1").run()
    assert any("slide.h5" in flag and "another frame" in flag for flag in frame.flags)
    slide.write_text("no slide")
    (tmp_path / "other").mkdir()
    broken = ResolutionAudit(manifest_of(clam_of(tmp_path / "other"), slide, "GT450"), tmp_path, tmp_path / "2").run()
    assert any("slide.svs" in flag and "not a TIFF" in flag for flag in broken.flags)


def test_an_option_of_tissue_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(InputError, match=r"option tissue: does not know \['closing'\]"):
        ResolutionAudit(manifest_of(tmp_path, tmp_path, "a"), tmp_path, tmp_path, tissue={"closing": 200})
