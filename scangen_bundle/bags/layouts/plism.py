"""plism-benchmark: `<extractor>/<STAIN>_<SCANNER>_to_GMH_S60.../features.npy`, float32 [16278, 3 + D].

The first three columns are whole numbers from the tile's name, the second and third of them x and y in the frame of
the slide that all were registered to.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from scangen_bundle.bags.bag import REGISTERED_PX, FeatureBag
from scangen_bundle.bags.layouts.common import imported
from scangen_bundle.bags.reading import reading
from scangen_bundle.errors import InputError

TOOL = "plism-benchmark"
FOLDER = re.compile(r"(?P<stain>.+)_(?P<scanner>[^_]+)_to_(?P<target>.+)")
ID_COLUMNS = 3


def read(path: Path) -> FeatureBag:
    """The bag of a slide's folder or of its features.npy.

    Raises:
        InputError: not such a file.
    """
    file = path / "features.npy" if path.is_dir() else path
    if not file.is_file():
        raise InputError(path, "is a folder without features.npy", "give the slide's feature file")
    with reading(file):
        table = np.load(file, mmap_mode="r", allow_pickle=False)
    name = FOLDER.fullmatch(file.parent.name)
    if table.ndim != 2 or table.shape[1] <= ID_COLUMNS or table.dtype.kind != "f":
        problem = f"its array is {table.dtype} {list(table.shape)}, expected float [N, 3 + D]"
        raise InputError(file, problem, "give features.npy of plism-benchmark")
    ids = np.asarray(table[:, :ID_COLUMNS])
    if not np.array_equal(ids, np.rint(ids)):
        problem = "its first three columns are not a tile's whole numbers"
        raise InputError(file, problem, "give features.npy of plism-benchmark")
    return imported(
        file,
        TOOL,
        table[:, ID_COLUMNS:],
        ids[:, 1:].astype(np.int64),
        REGISTERED_PX,
        slide_id=file.parent.name,
        encoder=file.parent.parent.name,
        scanner=name["scanner"] if name else None,
    )
