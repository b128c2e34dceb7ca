"""Where each scan lies in the frame that the panes of a specimen share: pure geometry.

The frame is the reference scan's. Its unit is a millimetre, or 1,000 px where the resolution is not known. All panes
show the same part of it, so panes are linked by placing each scan's picture.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        x, y = self.apply(np.array(size) / 2)
        width, height = size[0] * self.scale, size[1] * self.scale
        angle = np.arctan2(self.matrix[1, 0], self.matrix[0, 0])
        return {
            "x": float(x - width / 2),
            "y": float(y - height / 2),
            "width": width,
            "degrees": float(np.degrees(angle)),
            "matrix": self.matrix[:2].tolist(),
            "error": self.error,
            "note": self.note,
        }


def place_alone(scan: ScanFrame) -> Placement:
    """A scan in its own frame: the reference, or one that could not be registered."""
    return Placement(_scaling(scan.unit / UNITS))


def place_registered(reference: ScanFrame, scan: ScanFrame, registration: Registration) -> Placement:
    """A scan in the frame of the reference.

    Args:
        reference: the scan whose frame it is.
        scan: the one to place.
        registration: maps the reference's own unit to the scan's (see `ScanFrame.unit`).

    Raises:
        ValueError: the registration's scale cannot be that of two scans of one glass.
    """
    zoom = registration.scale * reference.unit / scan.unit  # px of the scan per px of the reference
    low, high = PLAUSIBLE_SCALE
    if not low <= zoom <= high:
        raise ValueError(f"its pixels would be {zoom:.3g} times as fine as the reference's")
    to_reference = np.linalg.inv(registration.matrix)
    matrix = _scaling(1 / UNITS) @ to_reference @ _scaling(scan.unit)
    note = ""
    both_measured = reference.mpp is not None and scan.mpp is not None
    if both_measured and abs(registration.scale - 1) > RIGHT_SCALE:
        note = f"its scale is {registration.scale:.3f} where 1 is expected: the mpp of one of the scans is wrong"
    return Placement(matrix, registration.error_um / registration.scale, note)


def choose_reference(scans: Sequence[ScanFrame | None]) -> int | None:
    """Position of the scan whose frame is shared: the first with a resolution, else the first; None without any."""
    first = None
    for number, scan in enumerate(scans):
        if scan is None:
            continue
        if scan.mpp is not None:
            return number
        first = number if first is None else first
    return first


def _scaling(side: float) -> np.ndarray:
    return np.diag([side, side, 1.0])
