"""What the layouts share: from what a tool stored to a FeatureBag."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from scangen_bundle.bags.arrays import DatasetRows, dataset_rows
from scangen_bundle.bags.bag import LEVEL0_PX, NO_COORDS, FeatureBag
from scangen_bundle.bags.layouts.encoder_names import registered
from scangen_bundle.errors import InputError


def feature_shape(path: Path, stored: Sequence[int]) -> tuple[int, int]:
    """(N, D) of features stored in this shape: a leading 1 is dropped, an empty slide's (0,) is (0, 0).

    Raises:
        InputError: another shape.
    """
    shape = tuple(stored)
    if len(shape) == 3 and shape[0] == 1:
        shape = shape[1:]
    if shape == (0,):
        return 0, 0
    if len(shape) != 2:
        problem = f"its features are {list(stored)}, expected [N, D] with a row per tile"
        raise InputError(path, problem, "give the features of tiles, not of the slide")
    return shape[0], shape[1]


def hdf5_dataset(path: Path, file: h5py.File, name: str) -> h5py.Dataset:
    """A dataset of an open file.

    Raises:
        InputError: there is none of that name.
    """
    if not isinstance(dataset := file.get(name), h5py.Dataset):
        raise InputError(path, f"it has no dataset {name!r}, it has {sorted(file)}", "extract it again")
    return dataset


def hdf5_rows(path: Path, file: h5py.File, name: str) -> np.ndarray | DatasetRows:
    """Features of a dataset of an open file as array-like [N, D].

    Raises:
        InputError: no such dataset, or of another shape.
    """
    dataset = hdf5_dataset(path, file, name)
    shape = feature_shape(path, dataset.shape)
    return dataset_rows(path, dataset, shape) if shape[0] else np.empty(shape, np.float32)


def imported(
    path: Path, tool: str, features: Any, coords: np.ndarray | None, unit: str = LEVEL0_PX, **known: Any
) -> FeatureBag:
    """A FeatureBag of another tool's file; what is None in `known` is left out.

    Coordinates of whole numbers become int64, whatever the tool stored them as. None stands for no coordinates. The
    tool's name of the encoder becomes that of our registry.

    Raises:
        InputError: the parts of the file contradict each other.
    """
    if coords is None:
        unit, coords = NO_COORDS, np.full((len(features), 2), -1, np.int64)
    coords = np.asarray(coords)
    coords = coords.reshape(coords.shape[1:]) if coords.ndim == 3 and coords.shape[0] == 1 else coords
    if coords.dtype.kind not in "iuf":
        raise InputError(path, f"its coordinates are {coords.dtype}, expected numbers", "extract it again")
    if coords.size == 0:
        coords = np.empty((0, 2), np.int64)
    elif coords.dtype.kind in "iu" or (unit == LEVEL0_PX and np.array_equal(coords, np.rint(coords))):
        coords = coords.astype(np.int64)
    else:
        coords = coords.astype(np.float64)
    dim = int(features.shape[1])
    if known.get("encoder") is not None:
        known["encoder"], known["pooling"] = registered(tool, str(known["encoder"]), dim)
    attributes = {"slide_id": path.stem, "dim": dim, **known}
    return FeatureBag(path, features, coords, {k: v for k, v in attributes.items() if v is not None}, tool, unit)


def plain(value: Any) -> Any:
    """An HDF5 attribute in Python's own types; the text 'None' is None."""
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return None if value == "None" else value


def attributes_of(holder: h5py.HLObject) -> dict[str, Any]:
    """All attributes in Python's own types, those that are None left out."""
    return {name: value for name, raw in holder.attrs.items() if (value := plain(raw)) is not None}


def number(value: Any) -> float | None:
    """A positive number, also one stored as text, or None for anything else."""
    try:
        return float(value) if 0 < float(value) < math.inf else None
    except (TypeError, ValueError):
        return None


def whole(value: Any) -> int | None:
    """A positive number without its fraction, or None for anything else."""
    return None if (known := number(value)) is None else int(known)
