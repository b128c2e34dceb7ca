"""Feature files of other tools are recognised by their content and read as they are."""

from __future__ import annotations

import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch

from scangen_bundle.errors import InputError
from scangen_bundle.features import open_bag
from tests.features import layouts_on_disk as disk

FEATURES, COORDS = disk.arrays()


def assert_holds(bag, tool, rows=slice(None)):
    """All ways to read give the features that were stored, in the order of the coordinates."""
    assert bag.tool == tool
    expected = FEATURES[rows].astype(bag.features.dtype)
    np.testing.assert_array_equal(np.asarray(bag.features), expected)
    np.testing.assert_array_equal(bag.features[[7, 2, 2]], expected[[7, 2, 2]])
    np.testing.assert_array_equal(bag.features[3:5], expected[3:5])
    np.testing.assert_array_equal(bag.features[4], expected[4])
    np.testing.assert_array_equal(bag.features[2:4, 1], expected[2:4, 1])
    np.testing.assert_allclose(bag.rows([1, 0]), FEATURES[rows][[1, 0]], rtol=1e-3)
    assert (len(bag), bag.dim) == (disk.N, disk.D)


def test_trident(tmp_path):
    bag = open_bag(disk.trident(tmp_path))
    assert_holds(bag, "TRIDENT")
    np.testing.assert_array_equal(bag.coords, COORDS)
    assert bag.coords.dtype == np.int64
    assert bag.attributes["encoder"] == "uni_v1"
    assert bag.attributes["downsample"] == 2.0
    assert bag.effective_mpp is None  # TRIDENT does not store the slide's mpp
    assert bag.tile_size_level0() == (512, 512)


@pytest.mark.parametrize("shape", [(0,), (0, disk.D)])
def test_trident_of_an_empty_slide(tmp_path, shape):
    bag = open_bag(disk.trident(tmp_path, np.empty(shape, np.float32), np.empty((0, 2))), dim=disk.D)
    assert len(bag) == 0
    assert bag.features.ndim == 2
    assert bag.coords.shape == (0, 2)


def test_a_leading_one_is_dropped(tmp_path):
    assert_holds(open_bag(disk.trident(tmp_path, FEATURES[None])), "TRIDENT")


def test_coordinates_outside_the_slide_are_of_another_frame(tmp_path):
    with pytest.raises(InputError, match=r"expected 0 to \(10000, 8000\).*another frame"):
        open_bag(disk.trident(tmp_path, coords=COORDS * 8))


def test_negative_coordinates_are_of_another_frame(tmp_path):
    with pytest.raises(InputError, match="another frame"):
        open_bag(disk.trident(tmp_path, coords=COORDS - 5000))


def test_clam_hdf5_and_tensor(tmp_path):
    h5, pt = disk.clam(tmp_path)
    for path in (h5, pt):
        bag = open_bag(path)
        assert_holds(bag, "CLAM")
        np.testing.assert_array_equal(bag.coords, COORDS)
        assert bag.tile_size_level0() == (512, 512)


def test_a_lone_clam_tensor_has_no_coordinates_and_says_so(tmp_path):
    pt = disk.clam(tmp_path, patches=False)[1].rename(tmp_path / "slide.pt")
    bag = open_bag(pt)
    assert_holds(bag, "CLAM")
    assert (bag.coords == -1).all()
    with pytest.raises(InputError, match=r"slide\.pt: its coordinates \(none\)"):
        bag.coords_level0((0.25, 0.25))


@pytest.mark.parametrize("generation", ["current", "2.0", "historic"])
def test_stamp(tmp_path, generation):
    bag = open_bag(disk.stamp(tmp_path, generation))
    assert_holds(bag, "STAMP")
    assert bag.features.dtype == np.float16
    assert bag.coords_unit == "um"
    assert bag.effective_mpp == pytest.approx((256 / 224, 256 / 224))
    steps = (COORDS - COORDS.min(axis=0)) / 512
    np.testing.assert_allclose(bag.coords, steps * 256, atol=1e-3)
    np.testing.assert_array_equal(bag.coords_level0((0.25, 0.5)), np.rint(steps * 256 / (0.25, 0.5)))
    assert bag.tile_size_level0((0.25, 0.5)) == pytest.approx((1024, 512))


def test_stamp_without_a_unit_and_with_another_step_is_refused(tmp_path):
    path = disk.stamp(tmp_path, "historic")
    with h5py.File(path, "r+") as file:
        file["coords"][...] = file["coords"][()] * 2
    with pytest.raises(InputError, match="nothing in it says what its coordinates count in"):
        open_bag(path)


def test_kronos_has_no_coordinates(tmp_path):
    bag = open_bag(disk.stamp(tmp_path, "kronos"))
    assert_holds(bag, "STAMP")
    assert bag.coords_unit == "none"


def test_features_of_a_slide_are_no_bag(tmp_path):
    path = disk.stamp(tmp_path, "current")
    with h5py.File(path, "r+") as file:
        file.attrs["feat_type"] = "slide"
    with pytest.raises(InputError, match="features of a slide, expected of tiles"):
        open_bag(path)


@pytest.mark.parametrize("stated_place", [False, True])
@pytest.mark.parametrize("suffix", [".pt", ".npz"])
def test_slide2vec(tmp_path, suffix, stated_place):
    bag = open_bag(disk.slide2vec(tmp_path, suffix, stated_place))
    # Rows come in the file's order; each has the coordinates that it was made with.
    stored = {tuple(corner): row for corner, row in zip(COORDS, FEATURES, strict=True)}
    rows = [np.flatnonzero((corner == COORDS).all(axis=1))[0] for corner in bag.coords]
    assert sorted(map(tuple, bag.coords)) == sorted(stored)
    assert_holds(bag, "slide2vec", rows)
    assert bag.source_mpp == (0.2425, 0.2425)
    assert bag.effective_mpp == pytest.approx((0.485, 0.485))  # within slide2vec's tolerance of the 0.5 asked for
    assert bag.tile_size_level0() == pytest.approx((448, 448))


def test_slideflow(tmp_path):
    bag = open_bag(disk.slideflow(tmp_path))
    assert_holds(bag, "slideflow")
    assert bag.attributes["encoder"] == "CTransPathFeatures"
    assert bag.effective_mpp == pytest.approx((302 / 299, 302 / 299))
    half = 302 / 0.25 / 2
    np.testing.assert_array_equal(bag.coords_level0((0.25, 0.25)), COORDS + 256 - half)


@pytest.mark.parametrize("as_folder", [False, True])
def test_plism(tmp_path, as_folder):
    path = disk.plism(tmp_path)
    bag = open_bag(path.parent if as_folder else path)
    assert_holds(bag, "plism-benchmark")
    np.testing.assert_array_equal(bag.coords, COORDS)
    assert bag.coords_unit == "registered_px"
    assert (bag.attributes["scanner"], bag.attributes["encoder"]) == ("S210", "h0_mini")


def test_a_pickled_array_is_refused_with_the_command_that_converts_it(tmp_path):
    path = tmp_path / "slide.pt"
    torch.save(FEATURES, path)
    with pytest.raises(InputError, match="pickle") as error:
        open_bag(path)
    command = error.value.remedy.partition(": ")[2].replace("python ", f"{sys.executable} ", 1)
    subprocess.run(command, shell=True, check=True)
    assert_holds(open_bag(path), "CLAM")


@pytest.mark.parametrize("content", [{"a": 1}, torch.zeros(3, 4, 5)])
def test_other_things_saved_with_torch_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "slide.pt")
    with pytest.raises(InputError, match=r"slide\.pt: (it holds a dict|its tensor is \[3, 4, 5\])"):
        open_bag(tmp_path / "slide.pt")


def test_bfloat16_becomes_float32(tmp_path):
    torch.save(torch.from_numpy(FEATURES).bfloat16(), tmp_path / "slide.pt")
    bag = open_bag(tmp_path / "slide.pt")
    assert bag.features.dtype == np.float32
    np.testing.assert_allclose(bag.features, FEATURES, rtol=1e-2)
