"""What is in the input folder: one case per slide."""

from __future__ import annotations

from pathlib import Path

from case import BAG, DICOM, SLIDE, Case

from scangen_bundle.errors import InputError

BAGS, SLIDES, DICOMS = {".h5", ".hdf5"}, {".svs", ".tif", ".tiff", ".ndpi", ".scn", ".bif", ".mrxs"}, {".dcm", ".dicom"}


def find_cases(path: Path) -> list[Case]:
    """The cases of a file or folder, by name.

    A bag or slide file is a case; so are the DICOM files of one folder together (a study holds one slide).

    Raises:
        InputError: there is nothing to work on.
    """
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    cases, studies = [], {}
    for file in files:
        suffix = file.suffix.lower()
        if suffix in BAGS | SLIDES:
            cases.append(Case(file.stem, BAG if suffix in BAGS else SLIDE, [file]))
        elif suffix in DICOMS:
            studies.setdefault(file.parent, []).append(file)
    for folder, members in studies.items():
        name = members[0].stem if len(members) == 1 else folder.name
        cases.append(Case(name, DICOM, members))
    if not cases:
        known = ", ".join(sorted(BAGS | SLIDES | DICOMS))
        raise InputError(path, "holds no slide and no feature bag", f"give files that end in {known}")
    names = [case.name for case in cases]
    for case in cases:  # a slide and its bag may have one name: their results must not
        if names.count(case.name) > 1:
            case.name = f"{case.name}_{case.kind}"
    return sorted(cases, key=lambda case: case.name)
