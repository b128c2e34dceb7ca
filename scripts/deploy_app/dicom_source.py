"""Headers of DICOM slides: which files belong to one slide, without their pixels."""

from __future__ import annotations

from pathlib import Path

from highdicom.enum import SpecificCharacterSetValues
from pydicom import DataElement, Dataset, config, dcmread
from pydicom.charset import python_encoding
from pydicom.errors import InvalidDicomError
from pydicom.uid import generate_uid
from pydicom.valuerep import validate_value

from scangen_bundle.errors import InputError

# pydicom would log values that it finds wrong, a patient's among them; `read_header` checks what results take over.
config.settings.reading_validation_mode = config.IGNORE

LONGEST_UID = 64
TEXTS = ("LO", "LT", "PN", "SH", "ST", "UC", "UT")
DEFAULT_SET, UTF_8 = "ISO 2022 IR 6", "ISO_IR 192"
UNREADABLE = "\ufffd"  # what pydicom puts for bytes that a character set does not have
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
    _settle_character_sets(header, path)
    for name in TAKEN_OVER:
        if name not in header:
            setattr(header, name, "")
        if not _is_valid(header, header[name]):
            problem = f"its {name} is not as DICOM wants it"  # the value is the patient's
            raise InputError(path.name, problem, "mend the file: a result of it would be invalid")
    for element in [element for element in header if element.VR in TEXTS and element.keyword not in TAKEN_OVER]:
        if not _is_valid(header, element):
            del header[element.tag]  # a result can do without it
    frame = str(header.get("FrameOfReferenceUID", ""))
    if len(frame) > LONGEST_UID:  # some converters write such; a result with it would be invalid
        header.FrameOfReferenceUID = generate_uid(entropy_srcs=[frame])
    return header


def _settle_character_sets(header: Dataset, path: Path) -> None:
    """Write the character sets as highdicom takes them: the default one by name, texts in a set that it lacks in UTF-8.

    Raises:
        InputError: DICOM has no such set.
    """
    stated = header.get("SpecificCharacterSet") or []
    names = [stated] if isinstance(stated, str) else list(stated)
    names = [name or DEFAULT_SET for name in names]
    if unknown := sorted(set(names) - set(python_encoding)):
        problem = f"its SpecificCharacterSet {unknown[0]!r} is not one of DICOM's"
        raise InputError(path.name, problem, "mend the file: a result of it would be invalid")
    if set(names) - {entry.value for entry in SpecificCharacterSetValues}:
        header.decode()
        names = [UTF_8]
    if names:
        header.SpecificCharacterSet = names if len(names) > 1 else names[0]
    elif "SpecificCharacterSet" in header:
        del header.SpecificCharacterSet


def _is_valid(header: Dataset, element: DataElement) -> bool:
    """Whether a result may take over a value: DICOM allows it, and its bytes are of the stated character sets."""
    for value in element.value if element.VM > 1 else [element.value]:
        text = str(value) if element.VR in TEXTS else value  # pydicom does not check a PersonName's length
        try:
            validate_value(element.VR, text, config.RAISE)
        except ValueError:
            return False
        if element.VR in TEXTS and (UNREADABLE in text or not ("SpecificCharacterSet" in header or text.isascii())):
            return False
    return True


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
