"""Register the scans of a specimen from their overviews. It runs in a process of its own: it takes seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from scangen_bundle.errors import InputError
from scangen_bundle.slides.open import open_slide
from scangen_bundle.slides.overview import read_overview
from scangen_bundle.slides.reader import SlideReader
from scangen_bundle.slides.registration import (
    OverviewFeatures,
    Registration,
    RegistrationError,
    overview_features,
    register_features,
)
from scangen_bundle.viewer.linking import Placement, ScanFrame, choose_reference, place_alone, place_registered
from scangen_bundle.viewer.pyramid import make_pyramid
from scangen_bundle.viewer.refining import Patch, cut_patches, refine
from scangen_bundle.viewer.scan_files import ScanFile, level0_mpp

OVERVIEW_PX = 600  # longest side of an overview
OVERVIEW_UM = 2.0  # unless its pixels would be finer than this, µm
TOLERANCE = 4  # overview px
SCANS_KEPT = 64


@dataclass(frozen=True, eq=False)
class LinkedScan:
    """A scan of a specimen after registration.

    Attributes:
        placement: in the frame of the specimen's reference, or in its own frame where it could not be registered; None
            where the slide cannot be read.
        frame: of the scan, None where the slide cannot be read.
        reason: why it is not in the frame of the reference, "" where it is.
    """

    placement: Placement | None
    frame: ScanFrame | None
    reason: str

    @property
    def linked(self) -> bool:
        """Whether the placement is in the shared frame."""
        return self.placement is not None and not self.reason


@dataclass(frozen=True)
class _Scan:
    """A scan whose slide can be read; `step` is the size of its overview's pixels in its own unit."""

    file: ScanFile
    frame: ScanFrame
    step: float


def register_scans(files: Sequence[ScanFile]) -> list[LinkedScan]:
    """Place each scan of a specimen in the frame of the first that has a resolution.

    What cannot be read or registered comes back with its reason; nothing is raised for it.
    """
    frames: list[ScanFrame | None] = []
    reasons = []
    for file in files:
        frame, reason = _try_frame(file)
        frames.append(frame)
        reasons.append(reason)
    scans = []
    for file, frame, step in zip(files, frames, overview_steps(frames), strict=True):
        scans.append(None if frame is None else _Scan(file, frame, step))
    number = choose_reference(frames)
    reference = None if number is None else scans[number]
    if reference is None:
        return [LinkedScan(None, None, reason) for reason in reasons]
    fixed, problem = _try_features(reference)
    linked = []
    for scan, reason in zip(scans, reasons, strict=True):
        if scan is None:
            linked.append(LinkedScan(None, None, reason))
        elif fixed is None or scan is reference:
            linked.append(LinkedScan(place_alone(scan.frame), scan.frame, problem))
        else:
            linked.append(_link(scan, reference, fixed))
    return linked


def overview_steps(frames: Sequence[ScanFrame | None]) -> list[float]:
    """Size of an overview's pixels for each scan, in its own unit: one for all scans whose resolution is known.

    Args:
        frames: of the scans; 0 is returned for None, a slide that cannot be read.
    """
    measured = [frame for frame in frames if frame is not None and frame.mpp is not None]
    longest = max((max(frame.size) * frame.unit for frame in measured), default=0.0)
    finest = max((frame.unit for frame in measured), default=0.0)
    common = max(longest / OVERVIEW_PX, OVERVIEW_UM, finest)
    steps = []
    for frame in frames:
        if frame is None:
            steps.append(0.0)
        elif frame.mpp is None:
            steps.append(max(max(frame.size) / OVERVIEW_PX, 1.0))
        else:
            steps.append(common)
    return steps


def _link(scan: _Scan, reference: _Scan, fixed: OverviewFeatures) -> LinkedScan:
    moving, reason = _try_features(scan)
    if moving is None:
        return LinkedScan(place_alone(scan.frame), scan.frame, reason)
    try:
        registration = register_features(fixed, moving, tolerance_um=TOLERANCE * scan.step)
        registration = _refine(scan, reference, registration)
        return LinkedScan(place_registered(reference.frame, scan.frame, registration), scan.frame, "")
    except InputError as error:
        return LinkedScan(place_alone(scan.frame), scan.frame, error.problem)
    except ValueError as error:  # RegistrationError is one
        return LinkedScan(place_alone(scan.frame), scan.frame, str(error))


def _refine(scan: _Scan, reference: _Scan, registration: Registration) -> Registration:
    patches = _patches(reference.file, reference.step)
    with open_slide(scan.file.slide_path) as reader:
        return refine(registration, patches, reader, _unit(reader, scan.file))


def _try_frame(file: ScanFile) -> tuple[ScanFrame | None, str]:
    if not file.slide_path:
        return None, "it has no slide"
    try:
        return _frame(file), ""
    except InputError as error:
        return None, error.problem


def _try_features(scan: _Scan) -> tuple[OverviewFeatures | None, str]:
    try:
        return _features(scan.file, scan.step), ""
    except InputError as error:
        return None, error.problem
    except RegistrationError as error:
        return None, str(error)
    except (ValueError, IndexError) as error:  # of an overview of a few pixels
        return None, f"its overview cannot be registered ({error})"


def _unit(reader: SlideReader, file: ScanFile) -> tuple[float, float]:
    """What a level-0 px counts in the scan's own unit, (x, y)."""
    return level0_mpp(reader, file) or (1.0, 1.0)


@lru_cache(maxsize=SCANS_KEPT)
def _frame(file: ScanFile) -> ScanFrame:
    with open_slide(file.slide_path) as reader:
        mpp = level0_mpp(reader, file)
        pyramid = make_pyramid(reader.level_dimensions[0], mpp)
    return ScanFrame(pyramid.size, None if mpp is None else min(mpp), pyramid.pixel)


@lru_cache(maxsize=SCANS_KEPT)
def _features(file: ScanFile, step: float) -> OverviewFeatures:
    """Features of a scan's overview whose pixels are `step` in the scan's own unit."""
    with open_slide(file.slide_path) as reader:
        unit = _unit(reader, file)
        overview = read_overview(reader, (step / unit[0], step / unit[1]))
    return overview_features(overview, step)


@lru_cache(maxsize=8)
def _patches(file: ScanFile, step: float) -> list[Patch]:
    """Patches of a reference, which are compared with those of each other scan."""
    points = _features(file, step).points_um
    with open_slide(file.slide_path) as reader:
        return cut_patches(reader, _unit(reader, file), points, step)
