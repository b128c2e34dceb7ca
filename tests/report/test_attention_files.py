"""A scan's pictures need the size of its tiles: from the bag, the manifest or the slide."""

import h5py
import nibabel
import numpy as np
import pytest

from scangen_bundle.report.attention_files import AttendedScan, AttentionFiles, write_specimen

NAN = float("nan")
WEIGHTS = np.array([0.2, 0.3, 0.5])


def write_clam(folder, name):
    """Features and coordinates of three tiles of 256 px at a downsample of 2, as CLAM leaves them: no resolution."""
    coords = np.array([[0, 0], [512, 0], [0, 512]])
    for part in ("h5_files", "patches"):
        (folder / part).mkdir(exist_ok=True)
        with h5py.File(folder / part / f"{name}.h5", "w") as file:
            file["coords"] = coords
            if part == "h5_files":
                file["features"] = np.zeros((3, 4), np.float32)
            else:
                file["coords"].attrs.update({"patch_size": 256, "patch_level": 1, "downsample": (2.0, 2.0)})
    return str(folder / "h5_files" / f"{name}.h5")


def scan(path, name, mpp, slide_path=""):
    return AttendedScan(name, f"scanner of {name}", path, slide_path, mpp, WEIGHTS)


def test_the_manifests_resolution_counts_where_the_bag_has_none(tmp_path):
    files = AttentionFiles(tmp_path / "maps", geojson=False)
    assert write_specimen("glass", [scan(write_clam(tmp_path, "a"), "a", 0.25)], files) == []
    image = nibabel.load(tmp_path / "maps" / "a.nii.gz")
    assert image.shape[:2] == (8, 8)  # two tiles of four px each way
    pixel_mm = 512 / 4 * 0.25 / 1000
    assert np.abs(np.diag(image.affine)[:2]) == pytest.approx([pixel_mm, pixel_mm])
    assert image.get_fdata()[0, 0, 0] == pytest.approx(0.2 * 3)
    assert {path.name for path in files.folder.iterdir()} == {"a.png", "a.nii.gz"}


def test_the_slides_own_resolution_counts_where_neither_has_one(tmp_path, real_data):
    files = AttentionFiles(tmp_path / "maps", geojson=False, top_tiles=0)
    slide = str(real_data / "slides" / "cmu-1-small-region.svs")
    assert write_specimen("glass", [scan(write_clam(tmp_path, "a"), "a", NAN, slide)], files) == []
    image = nibabel.load(tmp_path / "maps" / "a.nii.gz")
    assert abs(image.affine[0, 0]) == pytest.approx(512 / 4 * 0.499 / 1000)


def test_a_scan_of_unknown_resolution_is_named_and_the_others_are_drawn(tmp_path):
    scans = [scan(write_clam(tmp_path, name), name, mpp) for name, mpp in (("a", 0.25), ("b", NAN), ("c", 0.25))]
    files = AttentionFiles(tmp_path / "maps", geojson=False)
    assert write_specimen("glass", scans, files) == ["b"]
    assert {path.name for path in files.folder.iterdir()} == {
        "a.png",
        "a.nii.gz",
        "c.png",
        "c.nii.gz",
        "scanners",
    }
