"""Bags as they are written: whole, memory-mappable, or not there."""

from __future__ import annotations

import subprocess
import sys

import h5py
import numpy as np
import pytest

from scangen_bundle.bags import open_bag, open_writer, write_bag
from scangen_bundle.errors import InputError
from scangen_bundle.testing import make_attributes, make_bag_arrays


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_bag_comes_back_as_it_was_written(tmp_path, dtype):
    features, coords = make_bag_arrays(7, 5, dtype)
    attributes = make_attributes(dim=5, tissue_mm2=2.5, sharpness=9.0)
    write_bag(tmp_path / "a.h5", features, coords, attributes)
    bag = open_bag(tmp_path / "a.h5")
    np.testing.assert_array_equal(bag.features, features)
    np.testing.assert_array_equal(bag.coords, coords)
    assert bag.features.dtype == dtype
    assert bag.coords.dtype == np.int64
    stated = {**bag.attributes, "digest": "", "header_digest": ""}
    assert stated == attributes.as_dict()


def test_any_hdf5_reader_gets_the_same_and_the_layout_is_contiguous(tmp_path):
    features, coords = make_bag_arrays(300, 16, "float16")
    write_bag(tmp_path / "a.h5", features, coords, make_attributes(dim=16))
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["features"][()], features)
        assert file["features"].chunks is None
        assert file["features"].compression is None
        assert file.attrs["mpp"] == 0.5
    assert isinstance(open_bag(tmp_path / "a.h5").features, np.memmap)


def test_pieces_add_up_and_the_sharpness_comes_last(tmp_path):
    features, coords = make_bag_arrays(10, 4, "float32")
    with open_writer(tmp_path / "a.h5", coords, make_attributes(dim=4), "float32") as writer:
        for start in range(0, 10, 3):
            writer.append(features[start : start + 3])
        writer.sharpness = 12.5
    bag = open_bag(tmp_path / "a.h5")
    np.testing.assert_array_equal(bag.features, features)
    assert bag.attributes["sharpness"] == 12.5


def test_a_bag_without_tiles_can_be_kept(tmp_path):
    write_bag(tmp_path / "a.h5", np.empty((0, 4), np.float32), np.empty((0, 2), np.int64), make_attributes(dim=4))
    assert open_bag(tmp_path / "a.h5").features.shape == (0, 4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e6])
def test_what_is_not_finite_in_the_precision_of_the_bag_is_refused(tmp_path, bad):
    features, coords = make_bag_arrays(6, 3, "float32")
    features[4, 1] = bad
    with pytest.raises(InputError, match=r"a\.h5.*row 4"):
        write_bag(tmp_path / "a.h5", features, coords, make_attributes(dim=3), dtype="float16")
    assert list(tmp_path.iterdir()) == []


def test_wrong_d_and_wrong_number_of_rows_are_refused(tmp_path):
    features, coords = make_bag_arrays(6, 3, "float32")
    with pytest.raises(InputError, match=r"\[6, 3\], expected \[n, 4\]"):
        write_bag(tmp_path / "a.h5", features, coords, make_attributes(dim=4))
    with pytest.raises(InputError, match="5 coordinates"):
        write_bag(tmp_path / "a.h5", features, coords[:5], make_attributes(dim=3))
    with pytest.raises(InputError, match="6 rows of features but 7 coordinates"):
        write_bag(tmp_path / "a.h5", features, np.zeros((7, 2), np.int64), make_attributes(dim=3))
    with pytest.raises(InputError, match="whole numbers"):
        write_bag(tmp_path / "a.h5", features, coords + 0.5, make_attributes(dim=3))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_bag_leaves_the_finished_one_alone(tmp_path):
    features, coords = make_bag_arrays(6, 3, "float32")
    write_bag(tmp_path / "a.h5", features, coords, make_attributes(dim=3))
    before = (tmp_path / "a.h5").read_bytes()

    def write_a_part():
        with open_writer(tmp_path / "a.h5", coords, make_attributes(dim=3)) as writer:
            writer.append(features[:2])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_a_part()
    assert (tmp_path / "a.h5").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.h5"]


def test_a_full_disk_is_an_error_before_the_work_and_leaves_nothing(tmp_path):
    # A limit on file size acts like a small disk, and needs no right to mount one.
    program = f"""
import resource, numpy as np
from scangen_bundle.bags import open_writer
from scangen_bundle.testing import make_attributes, make_bag_arrays
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
features, coords = make_bag_arrays(1000, 64, "float32")
try:
    with open_writer({str(tmp_path / "a.h5")!r}, coords, make_attributes(dim=64), "float32"):
        print("work begins")
except OSError as error:
    print("refused", error.errno)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.split()[0] == "refused", done.stderr
    assert "work" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_reading_rows_checks_them(tmp_path):
    features, coords = make_bag_arrays(6, 3, "float32")
    write_bag(tmp_path / "a.h5", features, coords, make_attributes(dim=3))
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["features"][2, 0] = np.nan
    bag = open_bag(tmp_path / "a.h5")
    np.testing.assert_array_equal(bag.rows([4, 0]), features[[4, 0]])
    with pytest.raises(InputError, match="1 of 6 vectors"):
        bag.rows()
    with pytest.raises(InputError, match="row 2"):
        open_bag(tmp_path / "a.h5", check_values=True)
