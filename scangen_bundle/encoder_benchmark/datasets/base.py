"""A public set's folder as a manifest: names say which specimen and scanner a scan is; what is missing is listed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Protocol

import pandas as pd

from scangen_bundle.errors import InputError, some
from scangen_bundle.files import write_atomically
from scangen_bundle.not_data import is_apple_double

SHOWN = 10  # missing parts that an error lists


class PublicSet(Protocol):
    """A data set that the benchmark reads.

    Attributes:
        name: of the set.
        expected: one line for people: what has to be where.
        get: where to get the data set.
        licence: its owner's terms.
    """

    @property
    def name(self) -> str: ...

    @property
    def expected(self) -> str: ...

    @property
    def get(self) -> str: ...

    @property
    def licence(self) -> str: ...

    def table(self, folder: Path) -> pd.DataFrame:
        """One row per scan with the columns of a manifest; paths are absolute; no row where nothing follows the layout."""
        ...

    def missing(self, table: pd.DataFrame) -> list[str]:
        """What a whole set would have besides, such as `specimen on scanner`; [] where it is whole or need not be."""
        ...


@dataclass(frozen=True)
class Layout:
    """A set whose file names tell what each scan is: a `PublicSet`.

    Attributes:
        name, expected, get, licence: see `PublicSet`.
        pattern: of a scan's path below the folder, with `/`; its named groups are handed to `row`.
        row: `specimen_id, patient_id, scanner` and any further columns, of the pattern's groups.
        specimens, scanners: of the whole set, where they are listed: every specimen is on every scanner. Where only the
            scanners are, every specimen that occurs is on all of them; where neither is, see `complete`.
        count: of the specimens of the whole set; 0 where it is not published.
        complete: every specimen that occurs is on every scanner that occurs.
        features: the files are features, not slides.
    """

    name: str
    expected: str
    pattern: re.Pattern[str]
    row: Callable[[Mapping[str, str]], Mapping[str, str]]
    specimens: Sequence[str] = ()
    scanners: Sequence[str] = ()
    count: int = 0
    complete: bool = True
    features: bool = False
    get: str = ""
    licence: str = ""

    def table(self, folder: Path) -> pd.DataFrame:
        column = "features_path" if self.features else "slide_path"
        rows = []
        for path in sorted(folder.rglob("*")):
            match = self.pattern.fullmatch(path.relative_to(folder).as_posix())
            if match and not is_apple_double(path):
                scan = path.parent if path.name == "features.npy" else path
                rows.append({"slide_id": scan.stem, "label": "", **self.row(match.groupdict()), column: str(scan)})
        return pd.DataFrame(rows)

    def missing(self, table: pd.DataFrame) -> list[str]:
        if self.complete:
            specimens = self.specimens or sorted(set(table["specimen_id"]))
            scanners = self.scanners or sorted(set(table["scanner"]))
            present = set(zip(table["specimen_id"], table["scanner"], strict=True))
            absent = [pair for pair in product(specimens, scanners) if pair not in present]
            missing = [f"{specimen} on {scanner}" for specimen, scanner in absent]
        else:
            missing = sorted(set(self.specimens) - set(table["specimen_id"]))
        short = self.count - table["specimen_id"].nunique()
        if short > 0:
            missing.append(f"{short} of {self.count} specimens altogether")
        return missing


def scan_table(dataset: PublicSet, folder: str | os.PathLike[str]) -> pd.DataFrame:
    """One row per scan of a set in `folder`, with the columns of a manifest; paths are absolute.

    Raises:
        InputError: there is no such folder, or nothing in it follows the layout.
    """
    folder = Path(os.path.abspath(folder))
    expected = f"expected {dataset.expected}" + (f"; get it from {dataset.get}" if dataset.get else "")
    if not folder.is_dir():
        raise InputError(folder, f"there is no such folder of {dataset.name}", expected)
    table = dataset.table(folder)
    if table.empty:
        raise InputError(folder, f"nothing in it looks like {dataset.name}", expected)
    return table


def write_manifest(
    dataset: PublicSet,
    folder: str | os.PathLike[str],
    path: str | os.PathLike[str],
    allow_missing: bool = False,
    mpp: float | None = None,
) -> pd.DataFrame:
    """Write the manifest of a set; read it with `load_manifest(path, allow_outside=True)` if it lies elsewhere.

    Args:
        dataset: one of `DATASETS`, or a `named_layout`.
        folder: where it is.
        path: of the manifest.
        allow_missing: write it also if scans are missing.
        mpp: µm/px of all scans, where the files do not tell it.

    Raises:
        InputError: the folder is not the set, or scans are missing; it lists them.
    """
    table = scan_table(dataset, folder)
    missing = dataset.missing(table)
    if missing and not allow_missing:
        problem = f"of {dataset.name} are missing: {some(missing, SHOWN)} ({len(missing)} in all)"
        raise InputError(folder, problem, f"get them, or allow missing ones; expected {dataset.expected}")
    if mpp is not None:
        table["mpp"] = mpp
    with write_atomically(path) as temporary:
        table.to_csv(temporary, index=False)
    return table
