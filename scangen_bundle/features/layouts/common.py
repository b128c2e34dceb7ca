"""What the layouts share: from what a tool stored to a FeatureBag."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.features.arrays import DatasetRows, dataset_rows
from scangen_bundle.features.bag import LEVEL0_PX, NO_COORDS, FeatureBag


def hdf5_rows(path: Path, dataset: h5py.Dataset) -> np.ndarray | DatasetRows:
    """Features of a dataset as array-like [N, D]: a leading 1 is dropped, an empty slide's (0,) is [0, 0].

    Raises:
        InputError: another shape.
    """
    shape = dataset.shape
    if len(shape) == 3 and shape[0] == 1:
        shape = shape[1:]
    if shape == (0,) or (len(shape) == 2 and shape[0] == 0):
        return np.empty((0, shape[1] if len(shape) == 2 else 0), np.float32)
    if len(shape) != 2:
        problem = f"its features are {list(dataset.shape)}, expected [N, D] with a row per tile"
        raise InputError(path, problem, "give the features of tiles, not of the slide")
    return dataset_rows(path, dataset, shape)


def imported(
    path: Path, tool: str, features: Any, coords: np.ndarray | None, unit: str = LEVEL0_PX, **known: Any
) -> FeatureBag:
    """A FeatureBag of another tool's file; what is None in `known` is left out.

    Coordinates of whole numbers become int64, whatever the tool stored them as. None stands for no coordinates.
    """
    if coords is None:
        unit, coords = NO_COORDS, np.full((len(features), 2), -1, np.int64)
    coords = np.asarray(coords)
    coords = coords.reshape(coords.shape[1:]) if coords.ndim == 3 and coords.shape[0] == 1 else coords
    if coords.size == 0:
        coords = np.empty((0, 2), np.int64)
    elif coords.dtype.kind in "iu" or (unit == LEVEL0_PX and np.array_equal(coords, np.rint(coords))):
        coords = coords.astype(np.int64)
    else:
        coords = coords.astype(np.float64)
    attributes = {"slide_id": path.stem, "dim": int(features.shape[1]), **known}
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
    """A positive number, or None for anything else."""
    try:
        return float(value) if float(value) > 0 else None
    except (TypeError, ValueError):
        return None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        InputError: damaged, or not an object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read as JSON: {error}", "extract or copy it again") from error
    if not isinstance(content, dict):
        raise InputError(path, "is not a JSON object", "extract or copy it again")
    return content
