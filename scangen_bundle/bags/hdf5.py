"""HDF5 files that anybody may have written: opened so that nothing outside the file is read, and nothing beyond a bound.

An HDF5 file can name other files as its storage, by external datasets, virtual datasets and external links. Reading one
would give the content of any file of this machine to whoever sent it, and may never end (a pipe, `/dev/zero`). A few bytes
can also declare 2^60 rows. So every file is looked through before anything of it is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from scangen_bundle.errors import InputError

MAX_DATASET_BYTES = 2**34  # 16 GiB: three million vectors of 1,536 numbers in float32
MAX_EXPANSION = 2048  # bytes of a dataset per byte that is stored; deflate reaches 1,032
FREE_BYTES = 2**26  # datasets up to this size may expand further
MAX_OBJECTS = 1_000_000
REMEDY = "copy the data into a plain HDF5 file, and give that"


@contextmanager
def open_hdf5(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Open a file for reading, after looking through it.

    HDF5's own lock is not taken, because some network shares refuse it: such files never change in place.

    Raises:
        InputError: the file refers to other files, declares more bytes than the bounds of this module, or has bytes behind
            its end.
        OSError: it is not an HDF5 file, or damaged.
    """
    path = Path(path)
    _check_length(path)
    with h5py.File(path, "r", locking=False) as file:
        _check_objects(path, file)
        yield file


def _check_length(path: Path) -> None:
    """Refuse a file that is longer than HDF5 says: rows of it may be shifted. HDF5 itself refuses a shorter one."""
    with open(path, "rb") as file:
        head = file.read(128)
    size, end = path.stat().st_size, _stated_end(head)
    if end is not None and size > end:
        problem = f"is damaged: it has {size:,} bytes, its HDF5 structure ends after {end:,}"
        raise InputError(path, problem, "extract or copy it again")


def _stated_end(head: bytes) -> int | None:
    """The end-of-file address of a superblock at the file's start; None where there is none.

    See "Disk Format: Level 0A" of the HDF5 file format specification.
    """
    if len(head) < 64 or not head.startswith(b"\x89HDF\r\n\x1a\n"):
        return None
    version = head[8]
    if version in (0, 1):
        width, addresses = head[13], 24 + 4 * version
    elif version in (2, 3):
        width, addresses = head[9], 12
    else:
        return None
    start = addresses + 2 * width  # the base and another address come first
    return int.from_bytes(head[start : start + width], "little")


def _check_objects(path: Path, file: h5py.File) -> None:
    """Look at every link and every dataset of a file, without reading data or following what leads out of it."""
    links: list[tuple[bytes, int]] = []

    def collect(name: bytes, link: h5py.h5l.LinkInfo) -> bool | None:
        links.append((name, link.type))
        return True if len(links) > MAX_OBJECTS else None  # anything but None stops; h5py cannot raise in here

    if file.id.links.visit(collect, info=True):
        raise InputError(path, f"it has more than {MAX_OBJECTS:,} objects", REMEDY)
    for name, kind in links:
        if kind == h5py.h5l.TYPE_SOFT:
            continue  # leads to an object of the same file
        if kind != h5py.h5l.TYPE_HARD:
            raise InputError(path, f"its {_text(name)!r} is a link to another file", REMEDY)
        if h5py.h5o.get_info(file.id, name).type == h5py.h5o.TYPE_DATASET:
            _check_dataset(path, _text(name), h5py.h5d.open(file.id, name))


def _check_dataset(path: Path, name: str, dataset: h5py.h5d.DatasetID) -> None:
    created = dataset.get_create_plist()
    if created.get_layout() == h5py.h5d.VIRTUAL:
        raise InputError(path, f"its {name!r} is a virtual dataset, made of other files", REMEDY)
    if created.get_layout() == h5py.h5d.CONTIGUOUS and created.get_external_count():
        raise InputError(path, f"its {name!r} is stored in another file", REMEDY)
    size = dataset.get_space().get_simple_extent_npoints() * dataset.get_type().get_size()
    if size > MAX_DATASET_BYTES:
        raise InputError(path, f"its {name!r} declares {size:,} bytes, at most {MAX_DATASET_BYTES:,} are read", REMEDY)
    stored = dataset.get_storage_size()
    if size > FREE_BYTES and size > stored * MAX_EXPANSION:
        raise InputError(path, f"its {name!r} declares {size:,} bytes, but stores {stored:,}", REMEDY)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
