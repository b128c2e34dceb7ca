"""Where each scan lies in the frame that the panes of a specimen share: pure geometry.

The frame is the reference scan's. Its unit is a millimetre, or 1,000 px where the resolution is not known. All panes
show the same part of it, so panes are linked by placing each scan's picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scangen_bundle.slides.registration import Registration

UNITS = 1000.0  # µm, or px, per unit of the frame
PLAUSIBLE_SCALE = 0.1, 10.0  # of two scans of one glass, whatever their resolution
RIGHT_SCALE = 0.05  # a scale further from 1 than this makes one of two known resolutions wrong


@dataclass(frozen=True)
class ScanFrame:
    """The picture of a scan before registration.

    Attributes:
        size: (w, h) of the picture in display px (see `pyramid`).
        mpp: µm per display px, None where it is not known.
        pixel: level-0 px per display px, (x, y).
    """

    size: tuple[int, int]
    mpp: float | None
    pixel: tuple[float, float] = (1.0, 1.0)

    @property
    def unit(self) -> float:
        """What a display px counts in the scan's own unit: µm, or px where the resolution is not known."""
        return 1.0 if self.mpp is None else self.mpp


@dataclass(frozen=True, eq=False)
class Placement:
    """A scan in the shared frame.

    Attributes:
        matrix: [3, 3] from display px of the scan to the frame.
        error: of the registration, in µm (px where the reference has no resolution); 0 for the reference.
        note: what to tell the reader, "" for nothing.
    """

    matrix: np.ndarray
    error: float = 0.0
    note: str = ""

    @property
    def scale(self) -> float:
        """Length in the frame of a display px of the scan."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:2, :2]))))

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Map points [n, 2] (x, y) in display px of the scan to the frame."""
        return points @ self.matrix[:2, :2].T + self.matrix[:2, 2]

    def to_json(self, size: tuple[int, int]) -> dict[str, Any]:
        """What a browser needs: the matrix, and the picture's upright rectangle and its rotation about the middle.

        Args:
            size: of the scan's picture in display px.
        """
        middle = self.apply(np.array(size) / 2)
        width, height = size[0] * self.scale, size[1] * self.scale
        return {
            "x": float(middle[0] - width / 2),
            "y": float(middle[1] - height / 2),
            "width": width,
            "degrees": float(np.degrees(np.arctan2(self.matrix[1, 0], self.matrix[0, 0]))),
            "matrix": self.matrix[:2].tolist(),
            "error": self.error,
            "note": self.note,
        }


def place_alone(scan: ScanFrame) -> Placement:
    """A scan in its own frame: the reference, or one that could not be registered."""
    side = scan.unit / UNITS
    return Placement(np.diag([side, side, 1.0]))


def place_registered(reference: ScanFrame, scan: ScanFrame, found: Registration) -> Placement:
    """A scan in the frame of the reference.

    Args:
        reference: the scan whose frame it is.
        scan: the one to place.
        found: maps the reference's own unit to the scan's (see `ScanFrame.unit`).

    Raises:
        ValueError: the registration's scale cannot be that of two scans of one glass.
    """
    comparable = reference.mpp is not None and scan.mpp is not None
    zoom = found.scale * reference.unit / scan.unit  # display px of the scan per display px of the reference
    if not PLAUSIBLE_SCALE[0] <= zoom <= PLAUSIBLE_SCALE[1]:
        raise ValueError(f"its pixels would be {zoom:.3g} times as fine as the reference's")
    inverse = np.linalg.inv(found.matrix)
    matrix = np.diag([1 / UNITS, 1 / UNITS, 1.0]) @ inverse @ np.diag([scan.unit, scan.unit, 1.0])
    note = ""
    if comparable and abs(found.scale - 1) > RIGHT_SCALE:
        note = f"its scale is {found.scale:.3f} where 1 is expected: the mpp of one of the scans is wrong"
    return Placement(matrix, found.error_um / found.scale, note)


def choose_reference(scans: list[ScanFrame | None]) -> int | None:
    """Position of the scan whose frame is shared: the first with a resolution, else the first; None without any."""
    there = [i for i, scan in enumerate(scans) if scan is not None]
    measured = [i for i in there if (scan := scans[i]) is not None and scan.mpp is not None]
    return next(iter([*measured, *there]), None)
