"""STAMP: HDF5 with `feats` and `coords`, in micrometres since version 2.

Three generations: attributes with `tile_size_um` and `tile_size_px` (current); `tile_size` and `unit` (2.0); no
attributes, coordinates with a step of 224, which are px of 256/224 µm (historic, always 256 µm over 224 px).
Kronos' `patch_embeddings` come without coordinates.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.features.bag import MICROMETRES, FeatureBag
from scangen_bundle.features.layouts.common import attributes_of, hdf5_rows, imported, number

TOOL = "STAMP"
HISTORIC_TILE_UM, HISTORIC_TILE_PX = 256.0, 224


def read(path: Path, file: h5py.File) -> FeatureBag | None:
    """The bag, or None if STAMP did not write this file.

    Raises:
        InputError: it did, but it holds no tiles, or the parts contradict each other.
    """
    if "patch_embeddings" in file:
        return imported(path, TOOL, hdf5_rows(path, file["patch_embeddings"]), None)
    if "feats" not in file:
        return None
    about = attributes_of(file)
    kind = about.get("feat_type", "tile")
    if kind != "tile":
        raise InputError(path, f"it holds features of a {kind}, expected of tiles", "give STAMP's tile features")
    if "coords" not in file:
        raise InputError(path, "it has feats but no coords", "extract it again")
    features, coords = hdf5_rows(path, file["feats"]), file["coords"][()].astype(np.float64)
    if "tile_size_um" in about or "tile_size" in about:
        if about.get("unit", "um") != "um":
            raise InputError(path, f"its coordinates are in {about['unit']!r}, expected 'um'", "extract it again")
        tile_um, tile_px = number(about.get("tile_size_um", about.get("tile_size"))), number(about.get("tile_size_px"))
        if tile_px is None and "tile_size_um" not in about:
            tile_px = HISTORIC_TILE_PX
    else:
        _check_historic(path, coords)
        coords = coords * (HISTORIC_TILE_UM / HISTORIC_TILE_PX)
        tile_um, tile_px = HISTORIC_TILE_UM, HISTORIC_TILE_PX
    mpp = tile_um / tile_px if tile_um and tile_px else None
    encoder = about.get("extractor")
    return imported(
        path,
        TOOL,
        features,
        coords,
        MICROMETRES,
        encoder=None if encoder is None else str(encoder),
        tile_px=None if tile_px is None else int(tile_px),
        mpp=mpp,
        effective_mpp_x=mpp,
        effective_mpp_y=mpp,
    )


def _check_historic(path: Path, coords: np.ndarray) -> None:
    """Refuse coordinates without attributes whose step is not the historic 224.

    Raises:
        InputError: then nothing says what they count in.
    """
    steps = np.concatenate([np.diff(np.unique(coords[:, axis])) for axis in (0, 1)]) if coords.size else np.empty(0)
    if len(steps) and not np.isclose(steps.min(), HISTORIC_TILE_PX, atol=1):
        problem = (
            f"nothing in it says what its coordinates count in (step {steps.min():g}, expected {HISTORIC_TILE_PX})"
        )
        raise InputError(path, problem, "extract it again with a newer STAMP")
