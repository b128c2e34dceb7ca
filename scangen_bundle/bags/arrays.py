"""Array-likes over feature files: memory-mapped where the file allows it, read on demand where it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from scangen_bundle.bags.hdf5 import open_hdf5
from scangen_bundle.bags.reading import reading


class DatasetRows:
    """Rows [N, D] of a chunked or compressed HDF5 dataset.

    The file is open only while rows are read, so that any number of bags can be held and sent to other processes. A
    choice of rows reads the dataset whole and then selects: HDF5 takes ten times longer to pick rows out of chunks.

    Args:
        path: the file.
        name: the dataset.
        shape: (N, D).
        dtype: of the dataset.

    Raises:
        InputError: on reading rows, where the file is damaged.
    """

    ndim = 2

    def __init__(self, path: Path, name: str, shape: tuple[int, int], dtype: np.dtype) -> None:
        self.path, self.name, self.shape, self.dtype = path, name, shape, dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        rows = key[0] if isinstance(key, tuple) else key
        with reading(self.path), open_hdf5(self.path) as file:
            data = file[self.name]
            if data.ndim == 2 and isinstance(rows, (int, np.integer)):
                picked = data[rows]
                return picked[key[1:]] if isinstance(key, tuple) else picked
            return data[()].reshape(self.shape)[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)


def dataset_rows(path: Path, dataset: h5py.Dataset, shape: tuple[int, int]) -> np.memmap | DatasetRows:
    """The rows of an open dataset as an array-like [N, D] that outlives the open file.

    Contiguous, uncompressed data are memory-mapped at their place in the file.
    """
    offset = dataset.id.get_offset()  # None for chunked data, and for data that were never written
    if offset is None or dataset.dtype.byteorder not in "=<|":
        return DatasetRows(path, dataset.name, shape, dataset.dtype)
    return np.memmap(path, dataset.dtype, "r", offset, shape)
