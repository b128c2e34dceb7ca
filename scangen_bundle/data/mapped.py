"""Read a few rows of a bag many times without opening its HDF5 file again."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import h5py
import numpy as np

from scangen_bundle.features import FeatureBag, open_bag

MOST_MAPS = 16384  # Linux lets a process have 65,530


@dataclass(frozen=True)
class MappedBag:
    """Where a bag's arrays lie in its file, of a file that is still the one that was opened.

    Opening an HDF5 file and checking its attributes takes longer than reading a thousand rows, and so does mapping it anew:
    each page of a fresh map faults once. So the map is kept. Its pages are the system's file cache, which it takes back when
    memory is short; this process owns nothing that grows with the number of bags.
    """

    path: str
    stamp: tuple[int, int]
    shape: tuple[int, int]
    dtype: np.dtype
    offset: int
    coords_dtype: np.dtype
    coords_offset: int
    content: np.memmap

    def unchanged(self) -> bool:
        """Whether the file is there and has the size and time that it had."""
        try:
            return stamp_of(self.path) == self.stamp
        except OSError:
            return False

    def read(self, rows: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Features [n, D] and coordinates [n, 2] of sorted `rows`, or of all; copies, in the file's precision."""
        features = np.ndarray(self.shape, self.dtype, self.content, self.offset)
        coords = np.ndarray((self.shape[0], 2), self.coords_dtype, self.content, self.coords_offset)
        return (features.copy(), coords.copy()) if rows is None else (features[rows], coords[rows])


def stamp_of(path: str) -> tuple[int, int]:
    """What changes when a file is replaced."""
    stat = os.stat(path)
    return stat.st_mtime_ns, stat.st_size


def map_bag(bag: FeatureBag) -> MappedBag | None:
    """The places of an open bag's arrays; None for files that cannot be mapped, such as compressed ones."""
    if not isinstance(bag.features, np.memmap):
        return None
    path = str(bag.path)
    stamp = stamp_of(path)
    with h5py.File(path, "r") as file:
        coords = file.get("coords")
        if not isinstance(coords, h5py.Dataset) or (offset := coords.id.get_offset()) is None:
            return None
        if coords.shape != bag.coords.shape or not np.array_equal(coords[()], bag.coords):
            return None  # another tool's file, whose coordinates are not stored as they are used
        dtype = coords.dtype
    features = bag.features
    content = np.memmap(path, np.uint8, "r")
    return MappedBag(path, stamp, features.shape, features.dtype, features.offset, dtype, int(offset), content)


class BagReader:
    """Rows of bags by their path; each file is opened and checked once, and again when it changed."""

    def __init__(self) -> None:
        self._mapped: dict[str, MappedBag] = {}

    def __getstate__(self) -> dict[str, object]:
        """Another process maps for itself: a pickled map would be a copy of the whole file."""
        return {"_mapped": {}}

    def read(self, path: str, choose: Callable[[int], np.ndarray | None]) -> tuple[np.ndarray, np.ndarray]:
        """Features [n, D] and coordinates [n, 2] of the rows that `choose(N)` gives (sorted; None = all).

        Raises:
            InputError: the bag is gone or damaged.
        """
        mapped = self._mapped.get(path)
        if mapped is None or not mapped.unchanged():
            self._mapped.pop(path, None)
            bag = open_bag(path)
            mapped = map_bag(bag)
            if mapped is None:
                rows = choose(len(bag))
                features = bag.features[:] if rows is None else bag.features[rows]
                return np.asarray(features), bag.coords if rows is None else bag.coords[rows]
            if len(self._mapped) >= MOST_MAPS:
                self._mapped.pop(next(iter(self._mapped)))
            self._mapped[path] = mapped
        return mapped.read(choose(mapped.shape[0]))
