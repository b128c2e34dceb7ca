"""CLAM: HDF5 with `features` and `coords` in level-0 px, or a .pt tensor without coordinates.

Some tools leave the coordinates out of the HDF5 as well. Neither file says at what resolution. The coordinates file
beside it does in part (`patch_size` at a level of some `downsample`): its usual places are searched. Its mpp is the
slide's own, times `downsample` here.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from scangen_bundle.bags.bag import FeatureBag
from scangen_bundle.bags.hdf5 import open_hdf5
from scangen_bundle.bags.layouts.common import attributes_of, hdf5_dataset, hdf5_rows, imported, number
from scangen_bundle.bags.reading import reading

TOOL = "CLAM"


def read_hdf5(path: Path, file: h5py.File) -> FeatureBag | None:
    """The bag of an `h5_files/<slide>.h5`, or None if it is not such a file.

    Raises:
        InputError: it is, but the parts contradict each other.
    """
    if "features" not in file:
        return None
    features = hdf5_rows(path, file, "features")
    return imported(path, TOOL, features, _coords(path, file), **patch_attributes(path))


def read_tensor(path: Path, features: np.ndarray) -> FeatureBag:
    """The bag of a `pt_files/<slide>.pt`; its coordinates are those of `h5_files/<slide>.h5` if that lies beside.

    Raises:
        InputError: that file is damaged, or has another number of rows.
    """
    twin = path.parent.parent / "h5_files" / f"{path.stem}.h5"
    coords = None
    if twin.is_file():
        with reading(twin), open_hdf5(twin) as file:
            coords = _coords(twin, file)
    return imported(path, TOOL, features, coords, **patch_attributes(path))


def _coords(path: Path, file: h5py.File) -> np.ndarray | None:
    return hdf5_dataset(path, file, "coords")[()] if "coords" in file else None


def patch_attributes(path: Path) -> dict[str, Any]:
    """Tile size and downsample from CLAM's coordinates file `patches/<slide>.h5`, if it lies up to two folders above.

    Raises:
        InputError: that file is damaged.
    """
    for folder in list(path.parents)[1:4]:
        patches = folder / "patches" / f"{path.stem}.h5"
        if patches.is_file():
            break
    else:
        return {}
    with reading(patches), open_hdf5(patches) as file:
        about = attributes_of(file["coords"]) if "coords" in file else {}
        size, downsample = number(about.get("patch_size")), about.get("downsample")
        if size is None or downsample is None:
            return {}
        # (x, y); the level's two differ by rounding only.
        mean = math.exp(float(np.log(np.atleast_1d(np.asarray(downsample, float))).mean()))
    # A custom downsample shrinks tiles after they were read at patch_size px; 1 is none.
    custom = number(about.get("custom_downsample")) or 1.0
    return {"tile_px": round(size / custom), "downsample": mean * custom}
