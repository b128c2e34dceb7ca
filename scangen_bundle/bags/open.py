"""Open a feature file of any of the known tools, recognised by its content."""

from __future__ import annotations

import os
from pathlib import Path

from scangen_bundle.bags.bag import FeatureBag, read_own
from scangen_bundle.bags.hdf5 import open_hdf5
from scangen_bundle.bags.layouts import read_hdf5, read_other
from scangen_bundle.bags.reading import reading
from scangen_bundle.errors import InputError
from scangen_bundle.not_data import refuse_apple_double

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def open_bag(path: str | os.PathLike[str], dim: int | None = None, check_values: bool = False) -> FeatureBag:
    """Open a feature bag of this package, or a feature file of TRIDENT, CLAM, STAMP, slide2vec, slideflow or
    plism-benchmark, without converting it.

    Opening reads attributes and coordinates only; what the file says about itself is checked against its size and shape.

    Args:
        path: the file (for plism-benchmark also the slide's folder).
        dim: refuse vectors of another length.
        check_values: read all vectors once, and refuse NaN, infinite numbers and rows that do not match the bag's digest.

    Raises:
        InputError: missing, cut short, not a feature file, contradicting itself, or not what was asked for.
    """
    path = Path(path)
    bag = _open(path)
    if dim is not None and len(bag) and bag.dim != dim:
        maker = bag.attributes.get("encoder") or bag.tool
        raise InputError(path, f"its vectors have D = {bag.dim} ({maker}), expected {dim}", "use one encoder for all")
    if check_values:
        bag.check_rows()
    return bag


def _open(path: Path) -> FeatureBag:
    if not path.exists():
        raise InputError(path, "there is no such feature file", "run extracting first, or correct the manifest")
    if not (path.is_file() or path.is_dir()):  # a pipe would be waited for, for ever
        raise InputError(path, "is neither a file nor a folder", "give the slide's feature file")
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(path, "the feature file is empty (0 bytes)", "extract or copy it again")
    refuse_apple_double(path)
    with reading(path):
        if not path.is_file():
            return read_other(path)
        with open(path, "rb") as file:
            is_hdf5 = file.read(len(HDF5_MAGIC)) == HDF5_MAGIC
        if not is_hdf5:
            return read_other(path)
        with open_hdf5(path) as hdf5:
            return read_own(path, hdf5) if "format_version" in hdf5.attrs else read_hdf5(path, hdf5)
