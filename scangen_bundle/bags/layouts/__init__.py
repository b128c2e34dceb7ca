"""Feature files of other tools, read without conversion and recognised by their content; one file per tool."""

from __future__ import annotations

import zipfile
from pathlib import Path

import h5py

from scangen_bundle.bags.bag import FeatureBag
from scangen_bundle.bags.layouts import clam, plism, slide2vec, slideflow, stamp, trident
from scangen_bundle.bags.layouts.torch_file import load_tensor
from scangen_bundle.errors import InputError

KNOWN = "a feature bag of this package, TRIDENT, CLAM, STAMP, slide2vec, slideflow or plism-benchmark"

# The most telling first: a CLAM file is what has features and coordinates, and nothing that tells more.
HDF5_LAYOUTS = (stamp.read, trident.read, clam.read_hdf5)
TENSOR_LAYOUTS = (slide2vec.read_tensor, slideflow.read, trident.read_tensor, clam.read_tensor)


def read_hdf5(path: Path, file: h5py.File) -> FeatureBag:
    """Read an open HDF5 feature file.

    Raises:
        InputError: no tool is known that writes such a file.
    """
    for read in HDF5_LAYOUTS:
        if (bag := read(path, file)) is not None:
            return bag
    raise InputError(path, f"an HDF5 file with {sorted(file)}, expected {KNOWN}", "give the tile features of one slide")


def read_other(path: Path) -> FeatureBag:
    """Read a feature file that is not HDF5, or a slide's folder of plism-benchmark.

    Raises:
        InputError: no tool is known that writes such a file.
    """
    if path.is_dir() or path.suffix == ".npy":
        return plism.read(path)
    if path.suffix == ".npz":
        return slide2vec.read_npz(path)
    if path.suffix in (".pt", ".pth") or zipfile.is_zipfile(path):
        features = load_tensor(path)
        for read in TENSOR_LAYOUTS:
            if (bag := read(path, features)) is not None:
                return bag
    raise InputError(path, f"not a feature file that is known; expected {KNOWN}", "give the slide's feature file")
