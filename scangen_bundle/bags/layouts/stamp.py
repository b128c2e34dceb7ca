"""STAMP: HDF5 with `feats` and `coords`, in micrometres since version 2.

Three generations, told apart as STAMP's own `get_coords` does: `tile_size` with the unit "um" (2.0); `tile_size_um` and
`tile_size_px` (since 2.1); and historic ones, always 256 µm over 224 px, whose coordinates count px of 256/224 µm. A
historic file states a `tile_size` of 224, or else its coordinates have that step. Kronos' `patch_embeddings` come
without coordinates.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from scangen_bundle.bags.bag import MICROMETRES, FeatureBag
from scangen_bundle.bags.layouts.common import attributes_of, hdf5_dataset, hdf5_rows, imported, number
from scangen_bundle.errors import InputError

TOOL = "STAMP"
NEWEST_VERSION = (2, 5)  # whose files are known; a release of a third number does not change them
HISTORIC_TILE_UM, HISTORIC_TILE_PX = 256.0, 224.0


def read(path: Path, file: h5py.File) -> FeatureBag | None:
    """The bag, or None if STAMP did not write this file.

    Raises:
        InputError: it did, but it holds no tiles, is of a newer version, or the parts contradict each other.
    """
    if "patch_embeddings" in file:
        return imported(path, TOOL, hdf5_rows(path, file, "patch_embeddings"), None)
    if "feats" not in file:
        return None
    about = attributes_of(file)
    kind = about.get("feat_type", "tile")
    if kind != "tile":
        raise InputError(path, f"it holds features of a {kind}, expected of tiles", "give STAMP's tile features")
    _check_version(path, about.get("stamp_version"))
    features = hdf5_rows(path, file, "feats")
    coords, tile_um, tile_px = _micrometres(path, hdf5_dataset(path, file, "coords")[()].astype(np.float64), about)
    mpp = tile_um / tile_px if tile_px else None
    encoder = about.get("extractor")
    return imported(
        path,
        TOOL,
        features,
        coords,
        MICROMETRES,
        # Up to 2.1 with eight digits of the code's hash behind it.
        encoder=None if encoder is None else re.sub(r"-[0-9a-f]{8}$", "", str(encoder)),
        tile_px=None if tile_px is None else int(tile_px),
        mpp=mpp,
        effective_mpp_x=mpp,
        effective_mpp_y=mpp,
    )


def _check_version(path: Path, version: Any) -> None:
    """Refuse files of a STAMP that is newer than the known ones, as an older STAMP does.

    Raises:
        InputError: it is newer, or what is stated is no version.
    """
    if version is None:
        return
    stated = re.match(r"v?(\d+)(?:\.(\d+))?", str(version))
    if stated is None or (int(stated[1]), int(stated[2] or 0)) > NEWEST_VERSION:
        problem = f"it was written by STAMP {version}, the newest known is {NEWEST_VERSION[0]}.{NEWEST_VERSION[1]}"
        raise InputError(path, problem, "update this package, or extract it with a known version")


def _micrometres(path: Path, coords: np.ndarray, about: dict[str, Any]) -> tuple[np.ndarray, float, float | None]:
    """Coordinates [N, 2] in micrometres, and the side of a tile in micrometres and in px (None where it is not known).

    Raises:
        InputError: nothing says what the coordinates count in.
    """
    size, unit = number(about.get("tile_size")), about.get("unit")
    if size and unit == "um":
        return coords, size, number(about.get("tile_size_px")) or HISTORIC_TILE_PX
    if size_um := number(about.get("tile_size_um")):
        return coords, size_um, number(about.get("tile_size_px"))
    size = size or _step(coords)
    if size is None or round(size) == HISTORIC_TILE_PX:
        return coords * (HISTORIC_TILE_UM / HISTORIC_TILE_PX), HISTORIC_TILE_UM, HISTORIC_TILE_PX
    problem = (
        f"nothing in it says what its coordinates count in (tile size or step {size:g}, unit {unit}; expected "
        f"the unit um, or {HISTORIC_TILE_PX:g} of historic files)"
    )
    raise InputError(path, problem, "extract it again with a newer STAMP")


def _step(coords: np.ndarray) -> float | None:
    """The smallest step along x or y between coordinates [N, 2]; None where there are no two."""
    steps = [np.diff(np.unique(coords[:, axis])) for axis in (0, 1)] if coords.size else []
    found = np.concatenate(steps) if steps else np.empty(0)
    return float(found.min()) if len(found) else None
