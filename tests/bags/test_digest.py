"""Damage to a bag is noticed, and the same input gives the same bytes."""

import hashlib
import time

import h5py
import numpy as np
import pytest

from scangen_bundle.bags import open_bag, write_bag
from scangen_bundle.errors import InputError
from scangen_bundle.testing import make_attributes, make_bag_arrays


@pytest.fixture
def bag_path(tmp_path):
    features, coords = make_bag_arrays(50, 4)
    write_bag(tmp_path / "a.h5", features, coords, make_attributes(dim=4))
    return tmp_path / "a.h5"


def test_the_digest_is_that_of_coordinates_and_features(bag_path):
    features, coords = make_bag_arrays(50, 4)
    expected = hashlib.blake2b(coords.astype("<i8").tobytes() + features.tobytes(), digest_size=16).hexdigest()
    assert open_bag(bag_path).attributes["digest"] == expected


def test_the_same_input_gives_the_same_bytes_whenever_it_is_written(bag_path, tmp_path):
    features, coords = make_bag_arrays(50, 4)
    time.sleep(1.1)  # HDF5 counts in seconds
    write_bag(tmp_path / "later.h5", features, coords, make_attributes(dim=4))
    assert (tmp_path / "later.h5").read_bytes() == bag_path.read_bytes()


def test_any_flipped_bit_of_a_row_or_coordinate_is_found_where_all_rows_are_read(bag_path):
    whole = bag_path.read_bytes()
    with h5py.File(bag_path) as file:
        places = {name: (file[name].id.get_offset(), file[name].nbytes) for name in ("features", "coords")}
    rng = np.random.default_rng(0)
    for offset, size in places.values():
        for _ in range(20):
            damaged = bytearray(whole)
            damaged[offset + rng.integers(size)] ^= 1 << rng.integers(8)
            bag_path.write_bytes(damaged)
            with pytest.raises(InputError, match=r"damaged|NaN|frame"):
                open_bag(bag_path).rows()
            with pytest.raises(InputError, match=r"damaged|NaN|frame"):
                open_bag(bag_path, check_values=True)


@pytest.mark.parametrize(
    ("name", "value"), [("mpp", 0.25), ("encoder", "fakf"), ("sharpness", 3.0), ("digest", "0" * 32)]
)
def test_a_changed_attribute_is_found_when_the_bag_is_opened(bag_path, name, value):
    with h5py.File(bag_path, "r+") as file:
        file.attrs[name] = value
    with pytest.raises(InputError, match="its attributes are damaged"):
        open_bag(bag_path)


def test_bags_without_digests_are_read_as_before(bag_path):
    with h5py.File(bag_path, "r+") as file:
        del file.attrs["digest"], file.attrs["header_digest"]
    bag = open_bag(bag_path, check_values=True)
    np.testing.assert_array_equal(bag.rows(), make_bag_arrays(50, 4)[0].astype(np.float32))


@pytest.mark.parametrize("extra", [1, 4096])
def test_a_file_longer_than_its_own_end_is_refused(bag_path, extra):
    whole = bag_path.read_bytes()
    for damaged in (whole + bytes(extra), whole[:2000] + bytes(extra) + whole[2000:]):
        bag_path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"is damaged: it has [\d,]+ bytes, its HDF5 structure ends after"):
            open_bag(bag_path)
