"""Read a few rows of a bag many times without opening its file again."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass

import h5py
import numpy as np
import torch

from scangen_bundle.bags import FeatureBag, open_bag
from scangen_bundle.bags.arrays import dataset_rows
from scangen_bundle.bags.hdf5 import open_hdf5

MOST_MAPS = 24576  # bags of a reader; training has two readers, and Linux lets a process have 65,530 maps


@dataclass(frozen=True, eq=False)
class MappedBag:
    """A bag's arrays where they lie in its file, of a file that is still the one that was opened.

    Opening a feature file and checking what it says takes longer than reading a thousand rows, and so does mapping it anew:
    each page of a fresh map faults once. So the map is kept. Its pages are the system's file cache, which it takes back when
    memory is short; this process owns nothing that grows with the number of bags, neither memory nor open files (many systems
    allow 1,024), but for coordinates that a file does not store as they are used.
    """

    path: str
    stamp: tuple[int, int]
    features: np.ndarray
    coords: np.ndarray

    def unchanged(self) -> bool:
        """Whether the file is there and has the size and time that it had."""
        try:
            return stamp_of(self.path) == self.stamp
        except OSError:
            return False

    def read(self, rows: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Features [n, D] and coordinates [n, 2] of sorted `rows`, or of all; copies, in the file's precision."""
        if rows is None:
            return self.features.copy(), self.coords.copy()
        return self.features[rows], self.coords[rows]


def stamp_of(path: str) -> tuple[int, int]:
    """What changes when a file is replaced."""
    stat = os.stat(path)
    return stat.st_mtime_ns, stat.st_size


def map_bag(bag: FeatureBag) -> MappedBag | None:
    """An open bag's arrays; None for files that cannot be mapped, such as compressed ones."""
    if not isinstance(bag.features, np.memmap):
        return None
    stamp = stamp_of(str(bag.path))
    # `memmap` keeps a descriptor of its file for as long as it lives, torch closes it.
    content = torch.from_file(str(bag.path), shared=False, size=stamp[1], dtype=torch.uint8).numpy()
    content.flags.writeable = False
    return MappedBag(str(bag.path), stamp, _over(content, bag.features), _over(content, _stored_coords(bag)))


def _in_memory(bag: FeatureBag) -> MappedBag:
    """An open bag's arrays, copied."""
    return MappedBag(str(bag.path), stamp_of(str(bag.path)), np.array(bag.features[:]), np.array(bag.coords))


def _over(content: np.ndarray, array: np.ndarray) -> np.ndarray:
    """A memory-mapped array as a plain array over the content of its file; other arrays are returned as they are.

    Choosing rows of a plain array also takes half the time of choosing those of a `memmap`.
    """
    if not isinstance(array, np.memmap):
        return array
    mapped: np.memmap = array
    start = mapped.offset - mapped.offset % mmap.ALLOCATIONGRANULARITY  # where in the file its map begins
    buffer = np.frombuffer(mapped._mmap, np.uint8)  # type: ignore[attr-defined]
    within = mapped.ctypes.data - buffer.ctypes.data  # a slice has its parent's offset
    return np.ndarray(mapped.shape, mapped.dtype, content, start + within, mapped.strides)


def _stored_coords(bag: FeatureBag) -> np.ndarray:
    """The coordinates where they lie in the file, or in memory where the file does not store them as they are used."""
    if not h5py.is_hdf5(bag.path):
        return bag.coords
    with open_hdf5(bag.path) as file:
        stored = file.get("coords")
        if not isinstance(stored, h5py.Dataset) or stored.shape != bag.coords.shape:
            return bag.coords
        coords = dataset_rows(bag.path, stored, stored.shape)
    return coords if isinstance(coords, np.memmap) and np.array_equal(coords, bag.coords) else bag.coords


class BagReader:
    """Rows of bags by their path; each file is opened and checked once, and again when it changed.

    Args:
        keep_unmapped: keep files that cannot be mapped in memory; else such a file is opened each time it is read.
    """

    def __init__(self, keep_unmapped: bool = False) -> None:
        self.keep_unmapped = keep_unmapped
        self._mapped: dict[str, MappedBag] = {}

    def __getstate__(self) -> dict[str, object]:
        """Another process maps for itself: a pickled map would be a copy of the whole file."""
        return {"keep_unmapped": self.keep_unmapped, "_mapped": {}}

    def read(self, path: str, choose: Callable[[int], np.ndarray | None]) -> tuple[np.ndarray, np.ndarray]:
        """Features [n, D] and coordinates [n, 2] of the rows that `choose(N)` gives (sorted; None = all).

        Raises:
            InputError: the bag is gone or damaged.
        """
        mapped = self._mapped.get(path)
        if mapped is None or not mapped.unchanged():
            self._mapped.pop(path, None)
            bag = open_bag(path)
            if choose(len(bag)) is None:  # all rows are read, so that looking for damage costs little
                bag.check_rows()
            mapped = map_bag(bag) or (_in_memory(bag) if self.keep_unmapped else None)
            if mapped is None:
                rows = choose(len(bag))
                features = bag.features[:] if rows is None else bag.features[rows]
                return np.asarray(features), bag.coords if rows is None else bag.coords[rows]
            if len(self._mapped) >= MOST_MAPS:
                self._mapped.pop(next(iter(self._mapped)))
            self._mapped[path] = mapped
        return mapped.read(choose(len(mapped.features)))
