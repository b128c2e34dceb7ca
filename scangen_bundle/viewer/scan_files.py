"""The files of a scan, and the resolution that its pixels have."""

from __future__ import annotations

from dataclasses import dataclass

from scangen_bundle.slides.reader import SlideReader
from scangen_bundle.units import PLAUSIBLE_MPP


@dataclass(frozen=True)
class ScanFile:
    """What a scan has on disk.

    Attributes:
        slide_path: its slide, "" for none.
        features_path: its bag, "" for none.
        stated_mpp: µm/px that the manifest states, None for the file's own.
    """

    slide_path: str = ""
    features_path: str = ""
    stated_mpp: float | None = None


def level0_mpp(reader: SlideReader, file: ScanFile) -> tuple[float, float] | None:
    """Resolution (x, y) of level 0 in µm/px: as stated, else the slide's own where it is plausible, else None.

    The viewer shows slides without a resolution, too; what it measures on them is then in px.
    """
    if file.stated_mpp is not None:
        return file.stated_mpp, file.stated_mpp
    low, high = PLAUSIBLE_MPP
    if reader.mpp is None or not all(low <= value <= high for value in reader.mpp):
        return None
    return float(reader.mpp[0]), float(reader.mpp[1])
