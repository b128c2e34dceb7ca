"""Files that may be damaged: whatever goes wrong while one is read becomes one InputError that names it."""

from __future__ import annotations

import json
import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from scangen_bundle.errors import InputError

# What h5py, NumPy, zipfile and json raise for files that are cut short, overwritten or of another kind.
DAMAGE = (
    *(OSError, EOFError, ValueError, KeyError, IndexError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
REMEDY = "extract or copy it again"
MAX_ARRAY_BYTES = 2**34


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """While `path` is read, and only then: what fails is this file's fault.

    Raises:
        InputError: in place of what the reader raised.
    """
    try:
        yield
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(path, f"cannot be read: {error}", REMEDY) from error


def read_archive(path: str | os.PathLike[str], names: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Arrays of an .npz file by name, all by default. No Python object is made of it, and no more is read than it holds.

    Raises:
        InputError: damaged, not such a file, with Python objects in it, or without an array of `names`.
    """
    path = Path(path)
    with reading(path):
        _check_archive(path)
        content = np.load(path, allow_pickle=False)
        if not isinstance(content, np.lib.npyio.NpzFile):
            raise InputError(path, "is a single array, expected an .npz archive", REMEDY)
        with content:
            return {name: content[name] for name in names or content.files}


def _check_archive(path: Path) -> None:
    """Refuse an .npz file whose arrays are declared larger than what is stored of them, or than may be read."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as file:
                shape, _, dtype = _read_header(file)
            size = math.prod(shape) * dtype.itemsize
            if size > min(entry.file_size, MAX_ARRAY_BYTES) and not dtype.hasobject:
                problem = f"its {entry.filename!r} declares {size:,} bytes, it holds {entry.file_size:,}"
                raise InputError(path, problem, REMEDY)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type that an .npy file declares."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        InputError: damaged, or not an object.
    """
    with reading(path):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise InputError(path, "is not a JSON object", REMEDY)
    return content


def section(path: Path, content: dict[str, Any], name: str) -> dict[str, Any]:
    """The object called `name` of the JSON object in `path`; empty where there is none.

    Raises:
        InputError: it is something else.
    """
    part = content.get(name, {})
    if not isinstance(part, dict):
        raise InputError(path, f"its {name!r} is {json.dumps(part)}, expected an object", REMEDY)
    return part
