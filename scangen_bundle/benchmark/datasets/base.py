"""A public set's folder as a manifest: names say which specimen and scanner a scan is; what is missing is said."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically

SHOWN = 10  # missing scans that an error lists


@dataclass(frozen=True)
class Layout:
    """How a set lies on disk.

    Attributes:
        name: of the set.
        expected: one line for people: what has to be where.
        pattern: of a scan's path below the folder, with `/`; its named groups are handed to `row`.
        row: `specimen_id, patient_id, scanner` and optionally `label` of the pattern's groups.
        complete: every specimen is on every scanner that occurs.
        features: the files are features, not slides.
    """

    name: str
    expected: str
    pattern: re.Pattern[str]
    row: Callable[[Mapping[str, str]], Mapping[str, str]]
    complete: bool
    features: bool = False


def scan_table(layout: Layout, folder: str | os.PathLike[str]) -> pd.DataFrame:
    """One row per scan of a set in `folder`, with the columns of a manifest; paths are absolute.

    Raises:
        InputError: there is no such folder, or nothing in it follows the layout.
    """
    folder = Path(os.path.abspath(folder))
    if not folder.is_dir():
        raise InputError(folder, f"there is no such folder; expected {layout.name}", layout.expected)
    rows = []
    for path in sorted(folder.rglob("*")):
        found = layout.pattern.fullmatch(path.relative_to(folder).as_posix())
        if found:
            scan = path.parent if path.name == "features.npy" else path
            where = {"features_path" if layout.features else "slide_path": str(scan)}
            rows.append({"slide_id": scan.stem, "label": "", **layout.row(found.groupdict()), **where})
    if not rows:
        raise InputError(folder, f"nothing in it looks like {layout.name}", layout.expected)
    return pd.DataFrame(rows)


def missing_scans(layout: Layout, table: pd.DataFrame) -> list[str]:
    """Scans that a complete set would have: `specimen on scanner`, sorted; [] where the set need not be complete."""
    if not layout.complete:
        return []
    there = set(zip(table["specimen_id"], table["scanner"], strict=True))
    return [
        f"{specimen} on {scanner}"
        for specimen in sorted(set(table["specimen_id"]))
        for scanner in sorted(set(table["scanner"]))
        if (specimen, scanner) not in there
    ]


def write_manifest(
    layout: Layout, folder: str | os.PathLike[str], path: str | os.PathLike[str], allow_missing: bool = False
) -> pd.DataFrame:
    """Write the manifest of a set; read it with `load_manifest(path, allow_outside=True)` if it lies elsewhere.

    Args:
        layout: of the set.
        folder: where it is.
        path: of the manifest.
        allow_missing: write it also if scans are missing.

    Raises:
        InputError: the folder is not the set, or scans are missing; it lists them.
    """
    table = scan_table(layout, folder)
    missing = missing_scans(layout, table)
    if missing and not allow_missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        problem = f"{len(missing)} scans of {layout.name} are missing: {', '.join(missing[:SHOWN])}{more}"
        raise InputError(folder, problem, f"get them, or allow_missing; expected {layout.expected}")
    with write_atomically(path) as temporary:
        table.to_csv(temporary, index=False)
    return table
