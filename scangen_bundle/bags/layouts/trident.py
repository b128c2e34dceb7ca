"""TRIDENT: HDF5 with `features` (chunks of one row) and `coords` in level-0 px, their attributes on `coords`.

TRIDENT stores no mpp, and rounds the slide's to a magnification: the resolution of its tiles follows only from the
slide's own mpp, times `downsample` here.
"""

from __future__ import annotations

from pathlib import Path

import h5py

from scangen_bundle.bags.bag import FeatureBag
from scangen_bundle.bags.layouts.common import attributes_of, hdf5_dataset, hdf5_rows, imported, number, whole

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
    size, size_level0 = number(about.get("patch_size")), number(about["patch_size_level0"])
    magnification = number(about.get("target_magnification"))
    overlap = number(about.get("overlap"))
    return imported(
        path,
        TOOL,
        hdf5_rows(path, file, "features"),
        coords[()],
        encoder=attributes_of(file["features"]).get("encoder"),
        tile_px=whole(size),
        mpp=None if magnification is None else 10 / magnification,
        downsample=size_level0 / size if size and size_level0 else None,
        slide_width=whole(about.get("level0_width")),
        slide_height=whole(about.get("level0_height")),
        overlap=overlap / size if overlap and size else 0.0,
    )
