"""TRIDENT: HDF5 with `features` (chunks of one row) and `coords` in level-0 px, their attributes on `coords`.

TRIDENT stores no mpp, and rounds the slide's to a magnification: the resolution of its tiles follows only from the
slide's own mpp, times `downsample` here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from scangen_bundle.bags.bag import FeatureBag
from scangen_bundle.bags.hdf5 import open_hdf5
from scangen_bundle.bags.layouts.common import attributes_of, hdf5_dataset, hdf5_rows, imported, number, whole
from scangen_bundle.bags.reading import reading

TOOL = "TRIDENT"


def read(path: Path, file: h5py.File) -> FeatureBag | None:
    """The bag, or None if TRIDENT did not write this file.

    Raises:
        InputError: it did, but the parts contradict each other.
    """
    if not {"features", "coords"} <= set(file):
        return None
    coords = hdf5_dataset(path, file, "coords")
    about = attributes_of(coords)
    if "patch_size_level0" not in about:
        return None
    encoder = attributes_of(file["features"]).get("encoder")
    return _bag(path, hdf5_rows(path, file, "features"), coords[()], about, encoder)


def read_tensor(path: Path, features: np.ndarray) -> FeatureBag | None:
    """The bag of a `features_<encoder>/<slide>.pt`, or None if TRIDENT's `patches/<slide>_patches.h5` is not beside its folder.

    Raises:
        InputError: that file is damaged, or has another number of rows.
    """
    patches = path.parent.parent / "patches" / f"{path.stem}_patches.h5"
    if not patches.is_file():
        return None
    with reading(patches), open_hdf5(patches) as file:
        coords = hdf5_dataset(patches, file, "coords")
        places, about = coords[()], attributes_of(coords)
    encoder = path.parent.name.removeprefix("features_") if path.parent.name.startswith("features_") else None
    return _bag(path, features, places, about, encoder)


def _bag(path: Path, features: Any, coords: np.ndarray, about: dict[str, Any], encoder: str | None) -> FeatureBag:
    size, size_level0 = number(about.get("patch_size")), number(about.get("patch_size_level0"))
    magnification = number(about.get("target_magnification"))
    overlap = number(about.get("overlap"))
    return imported(
        path,
        TOOL,
        features,
        coords,
        encoder=encoder,
        tile_px=whole(size),
        mpp=None if magnification is None else 10 / magnification,
        downsample=size_level0 / size if size and size_level0 else None,
        slide_width=whole(about.get("level0_width")),
        slide_height=whole(about.get("level0_height")),
        overlap=overlap / size if overlap and size else 0.0,
    )
