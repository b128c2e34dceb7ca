"""Feature files that are not what they should be."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from scangen_bundle.bags import open_bag, write_bag
from scangen_bundle.errors import InputError
from scangen_bundle.testing import make_attributes, make_bag_arrays


@pytest.fixture
def bag_path(tmp_path):
    features, coords = make_bag_arrays(500, 4)
    write_bag(tmp_path / "a.h5", features, coords, make_attributes(dim=4))
    return tmp_path / "a.h5"


def refused(path, match, **options):
    with pytest.raises(InputError, match=match) as error:
        open_bag(path, **options)
    assert str(path) in str(error.value)


def test_another_d_than_asked_for(bag_path):
    assert open_bag(bag_path, dim=4).dim == 4
    refused(bag_path, r"D = 4 \(fake\), expected 1536", dim=1536)


@pytest.mark.parametrize("left", [10, 1000, 4000])
def test_cut_short(bag_path, left):
    bag_path.write_bytes(bag_path.read_bytes()[:left])
    refused(bag_path, "cannot be read|not a feature file")


def test_missing_empty_and_foreign(tmp_path):
    refused(tmp_path / "none.h5", "there is no such feature file")
    (tmp_path / "empty.h5").touch()
    refused(tmp_path / "empty.h5", "empty")
    (tmp_path / "text.h5").write_text("not a bag")
    refused(tmp_path / "text.h5", "not a feature file that is known")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["something"] = 1
    refused(tmp_path / "other.h5", r"HDF5 file with \['something'\]")
    refused(tmp_path, "without features.npy")
    (tmp_path / "text.pt").write_text("not a tensor")
    refused(tmp_path / "text.pt", r"tensor|pickle")
    np.save(tmp_path / "labels.npy", np.arange(3))
    refused(tmp_path / "labels.npy", "expected float")


def test_numpy_files_never_run_programs(tmp_path):
    np.savez(tmp_path / "objects.npz", features=np.array([{"a": 1}], dtype=object))
    refused(tmp_path / "objects.npz", "allow_pickle")


def test_coordinates_that_do_not_match_the_features(bag_path):
    with h5py.File(bag_path, "r+") as file:
        coords = file["coords"][:400]
        del file["coords"]
        file["coords"] = coords
    refused(bag_path, r"500 rows of features but coordinates \[400, 2\]")


@pytest.mark.parametrize("kind", ["S8", "float64"])
def test_coordinates_that_are_no_whole_numbers(bag_path, kind):
    with h5py.File(bag_path, "r+") as file:
        coords = file["coords"][:].astype(kind)
        del file["coords"]
        file["coords"] = coords
    refused(bag_path, "its coordinates are .*, expected whole numbers")


def test_damage_that_only_reading_the_rows_meets_names_the_file(tmp_path):
    path, (features, coords) = tmp_path / "slide.h5", make_bag_arrays(500, 4)
    with h5py.File(path, "w") as file:
        file["coords"] = coords
        file.create_dataset("features", data=features, chunks=(1, 4))
    content = path.read_bytes()
    assert content.count(b"TREE") > 2
    path.write_bytes(content.replace(b"TREE", b"\0\0\0\0"))  # of the index of the chunks: the head of the file is whole
    refused(path, "cannot be read", check_values=True)
    with pytest.raises(InputError, match="cannot be read") as error:
        open_bag(path).rows([3, 5])
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("dim", 5, "it says D = 5, but its features have D = 4"),
        ("mpp", -1.0, "mpp is -1.0"),
        ("tile_px", "224", "tile_px is '224'"),
        ("format_version", 99, "format version 99, expected 1 -> update"),
        ("encoder", None, "encoder"),
    ],
)
def test_attributes_that_make_no_sense(bag_path, name, value, match):
    with h5py.File(bag_path, "r+") as file:
        del file.attrs[name]
        file.attrs["header_digest"] = ""
        if value is not None:
            file.attrs[name] = value
    refused(bag_path, match)
