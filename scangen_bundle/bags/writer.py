"""Write feature bags: whole or absent, row by row in constant memory."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import h5py
import numpy as np

from scangen_bundle.bags.attributes import BagAttributes
from scangen_bundle.bags.bag import check_finite
from scangen_bundle.bags.digest import HEADER_DIGEST, ROWS_DIGEST, RowsDigest, header_digest
from scangen_bundle.errors import InputError
from scangen_bundle.file_systems import reserve
from scangen_bundle.files import write_atomically

HEADER_BYTES = 2**16
DTYPES = ("float16", "float32")


class BagWriter:
    """Rows of a bag in the making; from `open_writer`."""

    def __init__(self, path: Path, file: FileIO, shape: tuple[int, int], dtype: str, digest: RowsDigest) -> None:
        self.path, self.shape, self.dtype = path, shape, dtype
        self.written = 0
        self.sharpness: float | None = None
        self.digest = digest
        self._file = file

    def append(self, features: np.ndarray) -> None:
        """Write the next rows [n, D].

        Raises:
            InputError: wrong D, more rows than coordinates, or a number that is not finite (in the bag's precision).
        """
        if features.ndim != 2 or features.shape[1] != self.shape[1]:
            problem = f"features are {list(features.shape)}, expected [n, {self.shape[1]}]"
            raise InputError(self.path, problem, "the encoder's dim is not what it gives")
        if self.written + len(features) > self.shape[0]:
            raise InputError(self.path, f"more rows of features than the {self.shape[0]} coordinates", "")
        with np.errstate(over="ignore"):
            stored = np.ascontiguousarray(features, dtype=self.dtype)
        check_finite(self.path, stored)
        self.digest.update(stored)
        left = stored.reshape(-1).view(np.uint8).data
        while len(left):  # an unbuffered file may take less than it is given
            left = left[self._file.write(left) :]
        self.written += len(stored)


@contextmanager
def open_writer(
    path: str | os.PathLike[str], coords: np.ndarray, attributes: BagAttributes, dtype: str = "float16"
) -> Iterator[BagWriter]:
    """Write a bag in pieces; it appears under `path` when the block ends well, and not at all otherwise.

    Its whole space is taken at once, so a disk that is too small says so before the work.

    Args:
        path: the file to make.
        coords: [N, 2] level-0 px of the tiles' top-left corners, whole numbers.
        attributes: what the bag says about itself.
        dtype: "float16" or "float32".

    Raises:
        InputError: coordinates that are none, or fewer rows than coordinates were written.
        OSError: the disk is full, the folder cannot be written, ...
    """
    path = Path(path)
    coords = np.asarray(coords)
    if dtype not in DTYPES:
        raise ValueError(f"dtype {dtype!r} of a bag, expected one of {DTYPES}")
    if coords.ndim != 2 or coords.shape[1] != 2 or coords.dtype.kind not in "iu":
        raise InputError(path, f"coordinates are {coords.dtype} {list(coords.shape)}, expected whole numbers [N, 2]")
    coords = coords.astype(np.int64)
    shape = len(coords), attributes.dim
    with write_atomically(path) as temporary:
        _probe_space(temporary, len(coords) * (16 + attributes.dim * np.dtype(dtype).itemsize) + HEADER_BYTES)
        try:
            offset = _lay_out(temporary, coords, shape, dtype, attributes)
        except RuntimeError as error:  # how HDF5 reports what goes wrong on closing
            raise OSError(errno.EIO, str(error), str(path)) from error
        # HDF5 describes the rows, plain writes fill them: these report a full disk properly and at once.
        with open(temporary, "r+b", buffering=0) as file:
            if offset is not None:
                reserve(file.fileno(), offset, shape[0] * shape[1] * np.dtype(dtype).itemsize)
                file.seek(offset)
            writer = BagWriter(path, file, shape, dtype, RowsDigest(coords))
            yield writer
        if writer.written != shape[0]:
            raise InputError(path, f"{writer.written} rows of features but {shape[0]} coordinates", "extract it again")
        _seal(temporary, attributes, writer)


def _probe_space(path: Path, size: int) -> None:
    """Take `size` bytes of disk for a moment: HDF5 does not survive a full disk cleanly, this does.

    Raises:
        OSError: they are not there.
    """
    with open(path, "wb") as file:
        reserve(file.fileno(), 0, size)


def _lay_out(
    path: Path, coords: np.ndarray, shape: tuple[int, int], dtype: str, attributes: BagAttributes
) -> int | None:
    """Make the file with everything but the features; give their place in it (None if there are no rows)."""
    with h5py.File(path, "w", locking=False) as file:
        for name, value in attributes.as_dict().items():
            file.attrs[name] = value
        file.create_dataset("coords", data=coords)
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_obj_track_times(False)  # the same input gives the same bytes
        layout.set_layout(h5py.h5d.CONTIGUOUS)
        layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple(shape)
        kind = h5py.h5t.py_create(np.dtype(dtype))
        dataset = h5py.h5d.create(file.id, b"features", kind, space, layout)
        return dataset.get_offset() if shape[0] else None


def _seal(path: Path, attributes: BagAttributes, writer: BagWriter) -> None:
    """Put into the file what is known at the end: sharpness and digests."""
    about = attributes.as_dict()
    if writer.sharpness is not None:
        about["sharpness"] = float(writer.sharpness)
    about[ROWS_DIGEST] = writer.digest.hexdigest()
    about[HEADER_DIGEST] = header_digest(about)
    with h5py.File(path, "r+", locking=False) as file:
        for name in ("sharpness", ROWS_DIGEST, HEADER_DIGEST):
            file.attrs.modify(name, about[name])


def write_bag(
    path: str | os.PathLike[str],
    features: np.ndarray,
    coords: np.ndarray,
    attributes: BagAttributes,
    dtype: str | None = None,
) -> None:
    """Write a bag at once; see `open_writer`.

    Args:
        features: [N, D] float.
        coords: [N, 2] level-0 px, whole numbers.
        attributes: with the same D.
        dtype: "float16" or "float32"; by default that of `features`, float32 for other types.

    Raises:
        InputError: NaN, infinite numbers, wrong D, or rows that do not match the coordinates.
    """
    features = np.asarray(features)
    if dtype is None:
        dtype = str(features.dtype) if str(features.dtype) in DTYPES else "float32"
    with open_writer(path, coords, attributes, dtype) as writer:
        writer.append(features)
