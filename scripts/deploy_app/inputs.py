"""What is in the input folder: one case per slide."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from case import BAG, DICOM, SLIDE, Case

from scangen_bundle.errors import InputError
from scangen_bundle.names import unsafe_name
from scangen_bundle.not_data import is_apple_double

BAGS, SLIDES, DICOMS = {".h5", ".hdf5"}, {".svs", ".tif", ".tiff", ".ndpi", ".scn", ".bif", ".mrxs"}, {".dcm", ".dicom"}


def find_cases(path: Path) -> list[Case]:
    """The cases of a file or folder, by name.

    A bag or slide file is a case; so are the DICOM files of one folder together (a study holds one slide). A case has the
    name of its file without the ending, or of its study's folder; where several would have one name, each has its path below
    the input folder, `_` for `/`: their results must not have one folder. A name that cannot be a folder's is the case's
    problem from the start.

    Raises:
        InputError: there is nothing to work on, or two still have one name.
    """
    path = Path(os.path.abspath(path))
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    cases, places = [], []
    studies: dict[Path, list[Path]] = {}
    for file in files:
        suffix = file.suffix.lower()
        if is_apple_double(file):
            continue
        if suffix in BAGS | SLIDES:
            cases.append(Case(file.stem, BAG if suffix in BAGS else SLIDE, [file]))
            places.append(file)
        elif suffix in DICOMS:
            studies.setdefault(file.parent, []).append(file)
    for folder, members in studies.items():
        single = len(members) == 1
        cases.append(Case(members[0].stem if single else folder.name, DICOM, members))
        places.append(members[0] if single else folder)
    if not cases:
        endings = ", ".join(sorted(BAGS | SLIDES | DICOMS))
        raise InputError(path, "holds no slide and no feature bag", f"give files that end in {endings}")
    _name_apart(cases, places, path)
    for case, place in zip(cases, places, strict=True):
        if problem := unsafe_name(case.name):
            case.problem = f"{place.name}: its result would have the name {case.name!r}: {problem} -> rename it"
    return sorted(cases, key=lambda case: case.name)


def _name_apart(cases: list[Case], places: list[Path], folder: Path) -> None:
    """Name cases of one name by their paths below the input folder.

    Raises:
        InputError: two still have one name.
    """
    count = Counter(case.name for case in cases)
    for case, place in zip(cases, places, strict=True):
        if count[case.name] > 1:
            case.name = "_".join(place.relative_to(folder).parts) or place.name
    repeated = [name for name, times in Counter(case.name for case in cases).items() if times > 1]
    if repeated:
        raise InputError(folder, f"two inputs would have the result {repeated[0]}", "rename one of them")
