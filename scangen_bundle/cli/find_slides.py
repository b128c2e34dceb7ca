"""Find slides below a folder, and what their files say of themselves."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scangen_bundle.errors import InputError
from scangen_bundle.not_data import is_apple_double

SUFFIXES = frozenset(
    (".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".bif", ".dcm", ".czi", ".vms", ".vmu", ".svslide")
)
TCGA_PATIENT = re.compile(r"(?i)tcga-[a-z0-9]{2}-[a-z0-9]{4}")


@dataclass(frozen=True)
class SlideFile:
    """A slide and what its file says.

    Attributes:
        path: of the file; of a DICOM series that of its first file.
        scanner: as the file names it, "" where it does not.
        mpp: (x, y) µm/px as the file says, None where it does not or what it says is not plausible.
        size: (width, height) of level 0, px.
    """

    path: Path
    scanner: str
    mpp: tuple[float, float] | None
    size: tuple[int, int]

    @property
    def width_mm(self) -> float | None:
        """Width of the scan; None where the resolution is not known."""
        return self.size[0] * self.mpp[0] / 1000 if self.mpp else None


def list_files(folder: Path) -> list[Path]:
    """Files below a folder whose suffix a reader knows, in their order; hidden ones and those of macOS (`._*`) are left out."""
    paths: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if path.suffix.lower() in SUFFIXES and not name.startswith(".") and not is_apple_double(path):
                paths.append(path)
    return paths


def look_at(path: Path) -> tuple[SlideFile, str]:
    """What a slide's file says, and the name of its DICOM series ("" for other formats).

    Raises:
        InputError: it cannot be read as a slide.
    """
    from scangen_bundle.cohort.manifest import PLAUSIBLE_MPP
    from scangen_bundle.slides import identify_scanner, open_slide

    with open_slide(path) as slide:
        low, high = PLAUSIBLE_MPP
        is_plausible = slide.mpp is not None and all(low <= value <= high for value in slide.mpp)
        scanner = identify_scanner(slide.properties).name
        facts = SlideFile(path, scanner, slide.mpp if is_plausible else None, slide.level_dimensions[0])
        return facts, slide.properties.get("dicom.SeriesInstanceUID", "")


def find_slides(paths: Sequence[Path]) -> Iterator[SlideFile | InputError]:
    """The slides among files, or why one is none; the files of a DICOM series in one folder are one slide."""
    series: set[tuple[Path, str]] = set()
    for path in paths:
        try:
            slide, uid = look_at(path)
        except InputError as error:
            yield error
            continue
        if uid and (path.parent, uid) in series:
            continue
        series.add((path.parent, uid))
        yield slide


def name_slides(slides: Sequence[SlideFile]) -> list[str]:
    """An id for each slide: its file's name, with that of the folder where several have it, and else a number."""
    stems = [_safe(slide.path.stem) for slide in slides]
    repeated = Counter(stems)
    names = [
        f"{stem}_{_safe(slide.path.parent.name)}" if repeated[stem] > 1 else stem
        for stem, slide in zip(stems, slides, strict=True)
    ]
    given: set[str] = set()
    for index, name in enumerate(names):
        number = 2
        while names[index] in given:
            names[index] = f"{name}_{number}"
            number += 1
        given.add(names[index])
    return names


def _safe(text: str) -> str:
    """The text with what file names take; a dot in front goes."""
    return re.sub(r"[^\w.+-]+", "_", text).lstrip(".") or "slide"


def guess_scanners(slides: Sequence[SlideFile]) -> list[str]:
    """The scanner of each slide: as its file says, or the folder's name where each folder holds the same file names."""
    by_folder = _is_a_folder_per_scanner(slides)
    return [slide.scanner or (slide.path.parent.name if by_folder else "") for slide in slides]


def guess_specimens(slides: Sequence[SlideFile], pattern: str = "") -> list[str]:
    """The glass of each slide: by the pattern, or the file's name where several folders hold the same names; else ""."""
    if pattern:
        return [_match(pattern, slide.path) for slide in slides]
    by_folder = _is_a_folder_per_scanner(slides)
    return [_safe(slide.path.stem) if by_folder else "" for slide in slides]


def guess_patients(slides: Sequence[SlideFile], pattern: str = "") -> list[str]:
    """The patient of each slide: by the pattern, or by the barcode of TCGA; else ""."""
    if pattern:
        return [_match(pattern, slide.path) for slide in slides]
    barcodes = [TCGA_PATIENT.match(slide.path.stem) for slide in slides]
    return [barcode[0].upper() if barcode else "" for barcode in barcodes]


def _is_a_folder_per_scanner(slides: Sequence[SlideFile]) -> bool:
    folders: dict[Path, set[str]] = {}
    for slide in slides:
        folders.setdefault(slide.path.parent, set()).add(slide.path.stem)
    names = list(folders.values())
    return len(names) > 1 and any(first & second for first in names for second in names if first is not second)


def _match(pattern: str, path: Path) -> str:
    """The first group of the pattern in the file's path, or all that it matches; "" where it does not."""
    match = re.search(pattern, path.as_posix())
    if match is None:
        return ""
    return _safe(match[1] if match.groups() else match[0])
