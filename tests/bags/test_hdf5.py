"""HDF5 files that lead to other files or declare too much are refused before anything of them is read."""

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from scangen_bundle.bags import open_bag, write_bag
from scangen_bundle.bags.hdf5 import open_hdf5
from scangen_bundle.encoder_benchmark.pictures import Tile, picture_tiles
from scangen_bundle.errors import InputError
from scangen_bundle.testing import make_attributes, make_bag_arrays
from tests.conftest import ROOT

SECONDS = 30  # a file that is waited for ends the test, not the session


def lead_out(file, name, target, way):
    """Replace a dataset by one whose numbers lie in the file `target`."""
    shape, dtype = file[name].shape, file[name].dtype
    del file[name]
    if way == "external storage":
        file.create_dataset(name, shape=shape, dtype=dtype, external=[(str(target), 0, h5py.h5f.UNLIMITED)])
    elif way == "virtual dataset":
        layout = h5py.VirtualLayout(shape=shape, dtype=dtype)
        layout[:] = h5py.VirtualSource(str(target), name, shape=shape)
        file.create_virtual_dataset(name, layout)
    else:
        file[name] = h5py.ExternalLink(str(target), f"/{name}")


def own(path):
    write_bag(path, *make_bag_arrays(20, 4), make_attributes(dim=4))


def trident(path):
    features, coords = make_bag_arrays(20, 4)
    with h5py.File(path, "w") as file:
        file["features"], file["coords"] = features, coords
        file["coords"].attrs.update(patch_size=224, patch_size_level0=448)


def clam(path):
    with h5py.File(path, "w") as file:
        file["features"], file["coords"] = make_bag_arrays(20, 4)


def stamp(path):
    with h5py.File(path, "w") as file:
        file["feats"], file["coords"] = make_bag_arrays(20, 4)
        file.attrs.update(tile_size=256.0, unit="um")


@pytest.mark.parametrize("way", ["external storage", "virtual dataset", "external link"])
@pytest.mark.parametrize("write", [own, trident, clam, stamp])
@pytest.mark.parametrize("target", ["secret", "pipe"])
def test_every_layout_refuses_data_of_another_file(tmp_path, write, way, target):
    path = tmp_path / "a.h5"
    write(path)
    (tmp_path / "secret").write_bytes(bytes(range(256)) * 10)
    os.mkfifo(tmp_path / "pipe")
    with h5py.File(path, "r+") as file:
        lead_out(file, "coords", tmp_path / target, way)
    program = f"from scangen_bundle.bags import open_bag; open_bag({str(path)!r})"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert "InputError" in done.stderr
    assert "'coords' is" in done.stderr


def test_coordinates_beside_a_tensor_and_archives_of_pictures_are_looked_through_too(tmp_path):
    torch = pytest.importorskip("torch")
    (tmp_path / "pt_files").mkdir()
    (tmp_path / "h5_files").mkdir()
    torch.save(torch.zeros(20, 4), tmp_path / "pt_files" / "a.pt")
    clam(tmp_path / "h5_files" / "a.h5")
    with h5py.File(tmp_path / "h5_files" / "a.h5", "r+") as file:
        lead_out(file, "coords", "/etc/passwd", "external storage")
    with pytest.raises(InputError, match="'coords' is stored in another file"):
        open_bag(tmp_path / "pt_files" / "a.pt")
    with h5py.File(tmp_path / "archive.h5", "w") as file:
        file["a_0_0_0"] = np.zeros((8, 8, 3), np.uint8)
        lead_out(file, "a_0_0_0", "/etc/passwd", "external storage")
    with pytest.raises(InputError, match="'a_0_0_0' is stored in another file"):
        picture_tiles(tmp_path / "archive.h5", 0.5, Tile(8, 0.5))


@pytest.mark.parametrize("rows", [2**28, 2**40])
def test_a_few_bytes_that_declare_many_rows_are_refused(tmp_path, rows):
    clam(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file["coords"]
        file.create_dataset("coords", shape=(rows, 2), dtype="i8", chunks=(1024, 2), compression="gzip")
    with pytest.raises(InputError, match=r"'coords' declares [\d,]+ bytes"):
        open_bag(tmp_path / "a.h5")


def test_groups_soft_links_and_circles_of_one_file_are_no_harm(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("group")
        group["itself"] = group
        group["data"] = np.arange(3)
        file["soft"] = h5py.SoftLink("/group/data")
    with open_hdf5(tmp_path / "a.h5") as file:
        assert file["soft"][()].tolist() == [0, 1, 2]
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["group"]["out"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(InputError, match="'group/out' is a link to another file"), open_hdf5(tmp_path / "a.h5"):
        pass


def test_a_pipe_in_place_of_a_bag_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.h5")
    program = f"from scangen_bundle.bags import open_bag; open_bag({str(tmp_path / 'a.h5')!r})"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert "is neither a file nor a folder" in done.stderr


def test_archives_of_numpy_that_declare_much_are_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", features=np.zeros((4, 3), np.float32), tile_index=np.arange(4))
    import zipfile

    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 2), }"
        header += b" " * (117 - len(header)) + b"\n"
        archive.writestr("features.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(InputError, match="declares"):
        open_bag(tmp_path / "bomb.npz")
