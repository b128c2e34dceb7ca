"""Headers of DICOM slides: which files belong to one slide, without their pixels."""

from __future__ import annotations

from pathlib import Path

from pydicom import Dataset, config, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import generate_uid
from pydicom.valuerep import validate_value

from scangen_bundle.errors import InputError

# pydicom would log values that it finds wrong, a patient's among them; `read_header` checks what results take over.
config.settings.reading_validation_mode = config.IGNORE

LONGEST_UID = 64
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
# Attributes that a result takes over and that may be empty but not absent (DICOM type 2).
TAKEN_OVER = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
# Attributes that a slide must have (type 1 of a VL Whole Slide Microscopy image) and a result is placed by.
PLACED_BY = ("SeriesInstanceUID", "TotalPixelMatrixColumns", "ImageOrientationSlide", "SharedFunctionalGroupsSequence")


def read_header(path: Path) -> Dataset:
    """A file's header; PixelData are not read.

    Raises:
        InputError: no DICOM file, or a value that DICOM forbids where results take it over.
    """
    try:
        header = dcmread(path, stop_before_pixels=True)
    except (InvalidDicomError, EOFError, OSError, ValueError) as error:
        problem = f"cannot be read as DICOM ({type(error).__name__})"
        raise InputError(path.name, problem, "send the file again") from error
    for name in TAKEN_OVER:
        if name not in header:
            setattr(header, name, "")
        try:
            validate_value(header[name].VR, header[name].value, config.RAISE)
        except ValueError as error:
            problem = f"its {name} is not as DICOM wants it"  # the value is the patient's
            raise InputError(path.name, problem, "mend the file: a result of it would be invalid") from error
    frame = str(header.get("FrameOfReferenceUID", ""))
    if len(frame) > LONGEST_UID:  # some converters write such; a result with it would be invalid
        header.FrameOfReferenceUID = generate_uid(entropy_srcs=[frame])
    return header


def find_slide(paths: list[Path]) -> tuple[Path, Dataset]:
    """The largest image of the one slide in these files, and its header.

    Label and overview images are passed over by their type, before anything but the header is read.

    Args:
        paths: DICOM files of one study.

    Raises:
        InputError: none is a whole-slide image, there are two slides, or a header lacks what a result is placed by.
    """
    headers = [(path, read_header(path)) for path in paths]
    slides = [(path, header) for path, header in headers if header.get("SOPClassUID") == WHOLE_SLIDE]
    where = paths[0].name if len(paths) == 1 else paths[0].parent.name
    if not slides:
        kind = headers[0][1].get("Modality", "") or "no modality"
        raise InputError(where, f"is no whole-slide image (modality {kind})", "send a VL Whole Slide Microscopy image")
    volumes = [(path, header) for path, header in slides if "VOLUME" in header.get("ImageType", [])]
    if not volumes:
        raise InputError(where, "has only label or overview images", "send the slide's VOLUME images")
    for path, header in volumes:
        if missing := [name for name in PLACED_BY if name not in header]:
            problem = f"has no {', '.join(missing)}, by which a result is placed on the slide"
            raise InputError(path.name, problem, "convert the slide again: DICOM asks for it")
    series = {header.SeriesInstanceUID for _, header in volumes}
    if len(series) > 1:
        raise InputError(where, f"is a study with {len(series)} slides", "give one slide at a time")
    return max(volumes, key=lambda item: int(item[1].TotalPixelMatrixColumns))
