"""Feature files of other tools are recognised by their content and read as they are."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from scangen_bundle.bags import open_bag
from scangen_bundle.errors import InputError
from tests.bags import layouts_on_disk as disk

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
    assert bag.attributes["encoder"] == "uni"
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


def test_a_trident_slide_size_stored_as_text_is_the_same_size(tmp_path):
    path = disk.trident(tmp_path)
    with h5py.File(path, "r+") as file:
        file["coords"].attrs.update({"level0_width": "10000", "level0_height": "8000"})
    bag = open_bag(path)
    assert (bag.attributes["slide_width"], bag.attributes["slide_height"]) == (10_000, 8_000)


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


def test_an_hdf5_file_of_features_alone_has_no_coordinates_and_says_so(tmp_path):
    with h5py.File(tmp_path / "slide.h5", "w") as file:
        file["features"] = FEATURES
    bag = open_bag(tmp_path / "slide.h5")
    assert_holds(bag, "CLAM")
    assert bag.coords_unit == "none"


def test_a_clam_tensor_takes_no_coordinates_from_a_twin_that_has_none(tmp_path):
    h5, pt = disk.clam(tmp_path)
    with h5py.File(h5, "r+") as file:
        del file["coords"]
    assert open_bag(pt).coords_unit == "none"


@pytest.mark.parametrize(
    ("generation", "attributes"),
    [
        ("current", {}),
        ("current", {"stamp_version": "2.5.9"}),
        ("2.0", {}),
        ("historic", {}),
        # STAMP takes tile_size for micrometres only where the unit says so.
        ("historic", {"tile_size": 224}),
        ("historic", {"tile_size": 224.3, "unit": "px"}),
    ],
)
def test_stamp(tmp_path, generation, attributes):
    bag = open_bag(disk.stamp(tmp_path, generation, **attributes))
    assert_holds(bag, "STAMP")
    assert bag.features.dtype == np.float16
    assert bag.coords_unit == "um"
    assert bag.effective_mpp == pytest.approx((256 / 224, 256 / 224))
    steps = (COORDS - COORDS.min(axis=0)) / 512
    np.testing.assert_allclose(bag.coords, steps * 256, atol=1e-3)
    np.testing.assert_array_equal(bag.coords_level0((0.25, 0.5)), np.rint(steps * 256 / (0.25, 0.5)))
    assert bag.tile_size_level0((0.25, 0.5)) == pytest.approx((1024, 512))


@pytest.mark.parametrize(
    ("factor", "attributes", "found"),
    [
        (2, {}, "448, unit None"),
        (1, {"tile_size": 256}, "256, unit None"),
        (1, {"tile_size": 256, "unit": "px"}, "unit px"),
    ],
)
def test_stamp_without_micrometres_and_not_of_224_is_refused_as_stamp_does(tmp_path, factor, attributes, found):
    path = disk.stamp(tmp_path, "historic", **attributes)
    with h5py.File(path, "r+") as file:
        file["coords"][...] = file["coords"][()] * factor
    with pytest.raises(InputError, match=f"nothing in it says what its coordinates count in .*{found}"):
        open_bag(path)


@pytest.mark.parametrize("version", ["99.0.0", "2.6.0.dev1", "new"])
def test_stamp_of_a_newer_version_is_refused_by_its_name(tmp_path, version):
    path = disk.stamp(tmp_path, "current", stamp_version=version)
    with pytest.raises(InputError, match=f"STAMP {version}, the newest known is 2.5 -> update"):
        open_bag(path)


def test_stamp_named_its_extractor_with_a_hash_up_to_2_1(tmp_path):
    assert open_bag(disk.stamp(tmp_path, "2.0")).attributes["encoder"] == "uni"


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
    assert (bag.attributes["tile_px"], bag.attributes["mpp"]) == (224, 0.5)


def change_json(path, **changes):
    """Change entries of a JSON object; None removes one."""
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def test_slide2vec_that_leaves_the_request_to_hs2p(tmp_path):
    path = disk.slide2vec(tmp_path)
    nothing = {"requested_tile_size_px": None, "requested_spacing_um": None, "tile_size_lv0": None}
    change_json(path.with_name("slide.meta.json"), **nothing)
    bag = open_bag(path)
    assert (bag.attributes["tile_px"], bag.attributes["mpp"]) == (224, 0.5)
    assert bag.effective_mpp == pytest.approx((0.485, 0.485))


def test_tiles_that_an_encoder_of_slides_went_through_are_tiles(tmp_path):
    path = disk.slide2vec(tmp_path)
    change_json(path.with_name("slide.meta.json"), encoder_level="slide", encoder_name="titan")
    assert open_bag(path).attributes["encoder"] == "conch-v1.5"


def test_slide2vec_embeddings_of_regions_are_no_bag(tmp_path):
    path = disk.slide2vec(tmp_path)
    change_json(path.with_name("slide.meta.json"), artifact_type="hierarchical_embeddings")
    with pytest.raises(InputError, match="it holds hierarchical_embeddings, expected tile_embeddings"):
        open_bag(path)


def test_npz_features_with_a_leading_one(tmp_path):
    np.savez(tmp_path / "slide.npz", features=FEATURES[None])
    np.testing.assert_array_equal(open_bag(tmp_path / "slide.npz").features, FEATURES)


def test_npz_features_of_a_slide_are_refused(tmp_path):
    np.savez(tmp_path / "slide.npz", features=FEATURES[0])
    with pytest.raises(InputError, match=r"slide\.npz: its features are \[6\], expected \[N, D\]"):
        open_bag(tmp_path / "slide.npz")


def test_slideflow(tmp_path):
    bag = open_bag(disk.slideflow(tmp_path))
    assert_holds(bag, "slideflow")
    assert bag.attributes["encoder"] == "ctranspath"
    assert bag.effective_mpp == pytest.approx((302 / 299, 302 / 299))
    half = 302 / 0.25 / 2
    np.testing.assert_array_equal(bag.coords_level0((0.25, 0.25)), COORDS + 256 - half)


def test_a_slideflow_extractor_may_be_stated_by_its_name(tmp_path):
    path = disk.slideflow(tmp_path)
    change_json(tmp_path / "bags_config.json", extractor="virchow")
    assert open_bag(path).attributes["encoder"] == "virchow"


def test_networks_and_normalisers_of_slideflow_are_other_encoders(tmp_path):
    path = disk.slideflow(tmp_path)
    layer = "slideflow.model.extractors._factory_torch.TorchImagenetLayerExtractor"
    for network in ("resnet50_imagenet", "xception_imagenet"):
        change_json(tmp_path / "bags_config.json", extractor={"class": layer, "kwargs": {"model_name": network}})
        assert open_bag(path).attributes["encoder"] == network
    change_json(tmp_path / "bags_config.json", extractor="ctranspath", normalizer={"method": "macenko", "fit": [1]})
    assert open_bag(path).attributes["encoder"] == "ctranspath+macenko"


def test_slideflow_with_an_index_that_is_one_array(tmp_path):
    path = disk.slideflow(tmp_path)
    np.save(tmp_path / "slide.index.npy", np.load(tmp_path / "slide.index.npz")["arr_0"])
    (tmp_path / "slide.index.npz").unlink()
    np.testing.assert_array_equal(open_bag(path).coords, COORDS + 256)


def test_a_tensor_of_trident_takes_coordinates_from_its_patches(tmp_path):
    h5 = disk.trident(tmp_path)
    path = h5.with_suffix(".pt")
    with h5py.File(h5) as file:
        torch.save(torch.from_numpy(file["features"][()]), path)
        patches = h5.parent.parent / "patches" / "slide_patches.h5"
        patches.parent.mkdir()
        with h5py.File(patches, "w") as written:
            file.copy("coords", written)
    bag, same = open_bag(path), open_bag(h5)
    assert (bag.tool, bag.attributes) == ("TRIDENT", same.attributes)
    np.testing.assert_array_equal(bag.coords, same.coords)
    np.testing.assert_array_equal(bag.rows(), same.rows())


def test_latents_of_slide2vec_are_no_bag(tmp_path):
    (tmp_path / "slide_latents").mkdir()
    torch.save(torch.from_numpy(FEATURES), tmp_path / "slide_latents" / "slide.pt")
    with pytest.raises(InputError, match="it holds slide_latents, expected tile_embeddings"):
        open_bag(tmp_path / "slide_latents" / "slide.pt")


@pytest.mark.parametrize("as_folder", [False, True])
def test_plism(tmp_path, as_folder):
    path = disk.plism(tmp_path)
    bag = open_bag(path.parent if as_folder else path)
    assert_holds(bag, "plism-benchmark")
    np.testing.assert_array_equal(bag.coords, COORDS)
    assert bag.coords_unit == "registered_px"
    assert (bag.attributes["scanner"], bag.attributes["encoder"]) == ("S210", "h0-mini")


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("<html>404</html>")


def flip(path):
    """Change a byte of an archive's first array, which its checksum tells."""
    with zipfile.ZipFile(path) as archive:
        place = archive.infolist()[0].header_offset + 100
    content = bytearray(path.read_bytes())
    content[place] ^= 255
    path.write_bytes(bytes(content))


def open_header(path):
    """Lose the bracket that ends the description of a NumPy array."""
    content = path.read_bytes()
    path.write_bytes(content[:128].replace(b"}", b" ") + content[128:])


@pytest.mark.parametrize(
    ("make", "damaged", "damage"),
    [
        (lambda folder: disk.clam(folder)[1], "feat/h5_files/slide.h5", halve),
        (lambda folder: disk.clam(folder)[1], "patches/slide.h5", text),
        (lambda folder: disk.slide2vec(folder, ".npz"), "tile_embeddings/slide.npz", halve),
        (lambda folder: disk.slide2vec(folder, ".npz"), "tile_embeddings/slide.npz", flip),
        (disk.slide2vec, "tiles/slide.coordinates.npz", halve),
        (disk.slide2vec, "tiles/slide.coordinates.npz", empty),
        (disk.slide2vec, "tiles/slide.coordinates.meta.json", text),
        (disk.slide2vec, "tile_embeddings/slide.meta.json", halve),
        (disk.slideflow, "slide.index.npz", halve),
        (disk.slideflow, "slide.index.npz", empty),
        (disk.slideflow, "bags_config.json", text),
        (lambda folder: disk.plism(folder).parent, "h0_mini/GIVH_S210_to_GMH_S60.tif/features.npy", empty),
        (lambda folder: disk.plism(folder).parent, "h0_mini/GIVH_S210_to_GMH_S60.tif/features.npy", halve),
        (lambda folder: disk.plism(folder).parent, "h0_mini/GIVH_S210_to_GMH_S60.tif/features.npy", open_header),
    ],
)
def test_the_damaged_one_of_a_bags_files_is_named(tmp_path, make, damaged, damage):
    bag = make(tmp_path)
    damage(tmp_path / damaged)
    with pytest.raises(InputError, match="cannot be read") as error:
        open_bag(bag)
    assert Path(error.value.where) == tmp_path / damaged


@pytest.mark.parametrize(
    ("make", "file", "changes", "said"),
    [
        (
            disk.slide2vec,
            "tiles/slide.coordinates.meta.json",
            {"tiling": [1]},
            r"'tiling' is \[1\], expected an object",
        ),
        (disk.slide2vec, "tiles/slide.coordinates.meta.json", {"slide": "x"}, "'slide' is \"x\", expected an object"),
        (disk.slideflow, "bags_config.json", {"extractor": [1]}, r"'extractor' is \[1\], expected"),
    ],
)
def test_a_description_of_another_shape_is_named(tmp_path, make, file, changes, said):
    path = make(tmp_path)
    change_json(tmp_path / file, **changes)
    with pytest.raises(InputError, match=said) as error:
        open_bag(path)
    assert Path(error.value.where) == tmp_path / file


@pytest.mark.parametrize("name", ["slide", "tiling"])
def test_a_null_in_hs2ps_description_is_named(tmp_path, name):
    path, about = disk.slide2vec(tmp_path), tmp_path / "tiles" / "slide.coordinates.meta.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), name: None}))
    with pytest.raises(InputError, match=f"'{name}' is null, expected an object") as error:
        open_bag(path)
    assert Path(error.value.where) == about


def save_pickle(protocol):
    return lambda content, path: path.write_bytes(pickle.dumps(content, protocol))


def save_legacy(content, path):
    torch.save(content, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(
    ("save", "content", "kind"),
    [
        (torch.save, FEATURES, "NumPy array"),
        (save_legacy, FEATURES, "NumPy array"),
        (save_pickle(4), FEATURES, "NumPy array"),
        (save_pickle(5), FEATURES, "NumPy array"),
        (save_pickle(4), torch.from_numpy(FEATURES), "tensor"),
    ],
)
def test_a_pickled_array_is_refused_with_a_command_that_converts_it(tmp_path, save, content, kind):
    path = tmp_path / "a patient's.pt"
    save(content, path)
    with pytest.raises(InputError, match=f"it holds a pickle of a {kind}") as error:
        open_bag(path)
    command = error.value.remedy.partition("convert it once: ")[2]
    folder = Path(sys.executable).parent
    subprocess.run(command, shell=True, check=True, env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})
    assert_holds(open_bag(path), "CLAM")


@pytest.mark.parametrize(
    ("save", "content", "said"),
    [
        (torch.save, {"features": torch.zeros(3, 4), "x": 1}, "it holds a dictionary of 'features', 'x'"),
        (torch.save, {"features": FEATURES}, "it holds a pickle of a dictionary of 'features'"),
        (save_legacy, {"features": FEATURES}, "it holds a pickle of a dictionary of 'features'"),
        (save_pickle(4), {"features": FEATURES}, "it holds a pickle of a dictionary of 'features'"),
        (torch.save, torch.nn.Linear(2, 2), r"it holds a pickle of a torch\.nn\.modules\.linear\.Linear"),
        (torch.save, [torch.zeros(3, 4)], "it holds a list"),
    ],
)
def test_what_else_is_saved_is_named_and_gets_no_command(tmp_path, save, content, said):
    save(content, tmp_path / "slide.pt")
    with pytest.raises(InputError, match=said) as error:
        open_bag(tmp_path / "slide.pt")
    assert "python" not in error.value.remedy
    assert "save the features alone" in error.value.remedy


def test_a_tensor_of_another_shape_is_refused(tmp_path):
    torch.save(torch.zeros(3, 4, 5), tmp_path / "slide.pt")
    with pytest.raises(InputError, match=r"slide\.pt: its features are \[3, 4, 5\]"):
        open_bag(tmp_path / "slide.pt")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 12\n", "is a Git LFS pointer"),
        (b"<!DOCTYPE html><html>404</html>", "is a web page"),
        ("größer;µm".encode(), "is a text that begins 'größer;µm'"),
        (bytes(range(256)), r"is not a file of torch\.save"),
        (pickle.dumps(FEATURES)[:40], "it holds a pickle that is damaged"),
    ],
)
def test_a_file_that_is_no_tensor_is_called_what_it_is(tmp_path, content, said):
    (tmp_path / "slide.pt").write_bytes(content)
    with pytest.raises(InputError, match=said) as error:
        open_bag(tmp_path / "slide.pt")
    assert "python" not in error.value.remedy


class Bomb:
    """What a pickle can do to who loads it: call a function, or a method that it looks up."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


@pytest.mark.parametrize("save", [torch.save, save_legacy, save_pickle(4)])
@pytest.mark.parametrize("function", [os.mkdir, Path.touch])
def test_telling_what_a_pickle_holds_runs_nothing_of_it(tmp_path, save, function):
    save(Bomb(function, tmp_path / "went off"), tmp_path / "slide.pt")
    with pytest.raises(InputError, match="it holds a pickle of a "):
        open_bag(tmp_path / "slide.pt")
    assert not (tmp_path / "went off").exists()


@pytest.mark.parametrize("kind", [torch.nn.Parameter, lambda tensor: tensor.requires_grad_()])
def test_a_tensor_with_a_gradient_is_read(tmp_path, kind):
    torch.save(kind(torch.from_numpy(FEATURES.copy())), tmp_path / "slide.pt")
    assert_holds(open_bag(tmp_path / "slide.pt"), "CLAM")


def test_bfloat16_becomes_float32(tmp_path):
    torch.save(torch.from_numpy(FEATURES).bfloat16(), tmp_path / "slide.pt")
    bag = open_bag(tmp_path / "slide.pt")
    assert bag.features.dtype == np.float32
    np.testing.assert_allclose(bag.features, FEATURES, rtol=1e-2)


def test_a_tensor_of_8_bits_is_read_as_numbers(tmp_path):
    path = disk.slideflow(tmp_path)
    torch.save(torch.ones(len(COORDS), 6).to(torch.float8_e4m3fn), path)
    change_json(tmp_path / "bags_config.json", num_features=6)
    assert (open_bag(path).rows() == 1).all()
