"""The virtual scanners: what each does to the light that comes through a specimen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Matrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class Scanner:
    """One virtual scanner.

    Args:
        name: the value of the manifest's `scanner` column.
        model: maker and model as written into the file; invented.
        mpp: µm per pixel of level 0.
        magnification: nominal objective power, written by the Aperio-style files only.
        container: `svs` (Aperio-style ImageDescription) or `tif` (generic tiled TIFF, resolution tags).
        colour: 3 x 3 matrix on RGB; each row sums to 1, so that grey stays grey.
        white: RGB of empty glass, 0 to 1.
        gamma: exponent per channel after the matrix; above 1 darkens the mid-tones.
        blur_um: standard deviation of the optical blur in µm.
        sharpen: strength of the 3 x 3 unsharp mask, 0 = none.
        noise: standard deviation of the sensor noise, in grey levels of 255.
        quality: JPEG quality.
        shift_um: largest stage shift along x and y in µm.
    """

    name: str
    model: str
    mpp: float
    magnification: int
    container: str
    colour: Matrix
    white: tuple[float, float, float]
    gamma: tuple[float, float, float]
    blur_um: float
    sharpen: float
    noise: float
    quality: int
    shift_um: float

    def __post_init__(self) -> None:
        if self.container not in ("svs", "tif"):
            raise ValueError(f"container of {self.name}: expected svs or tif, got {self.container!r}")
        if not np.allclose(np.sum(self.colour, axis=1), 1.0):
            raise ValueError(f"colour of {self.name}: each row must sum to 1, got {np.sum(self.colour, axis=1)}")


# Ordered from ordinary to exotic: the last one is what the demo keeps from training.
SCANNERS: tuple[Scanner, ...] = (
    Scanner(
        "scanner-1", "Alder SlideOne", 0.3460, 20, "svs",
        ((1.00, 0.00, 0.00), (0.00, 1.00, 0.00), (0.00, 0.00, 1.00)),
        (0.960, 0.960, 0.960), (1.00, 1.00, 1.00), 0.15, 0.3, 1.0, 90, 8.0,
    ),
    Scanner(
        "scanner-2", "Birch Panorama 2", 0.2215, 40, "tif",
        ((0.96, 0.03, 0.01), (0.02, 0.94, 0.04), (0.00, 0.05, 0.95)),
        (0.955, 0.940, 0.920), (0.95, 1.05, 1.00), 0.25, 0.0, 1.5, 85, 12.0,
    ),
    Scanner(
        "scanner-3", "Cedar Scan GT", 0.4415, 20, "svs",
        ((1.08, -0.06, -0.02), (-0.03, 1.06, -0.03), (-0.02, -0.04, 1.06)),
        (0.940, 0.950, 0.975), (1.05, 1.00, 0.92), 0.20, 0.8, 1.5, 80, 15.0,
    ),
    Scanner(
        "scanner-4", "Dogwood Ultra", 0.2738, 40, "tif",
        ((0.90, 0.10, 0.00), (0.04, 0.90, 0.06), (0.05, 0.05, 0.90)),
        (0.930, 0.905, 0.915), (0.85, 0.88, 0.92), 0.45, 0.0, 2.5, 75, 18.0,
    ),
    Scanner(
        "scanner-5", "Elm DX", 0.5052, 20, "svs",
        ((1.12, -0.10, -0.02), (0.00, 1.04, -0.04), (0.04, -0.12, 1.08)),
        (0.975, 0.935, 0.945), (1.20, 1.12, 1.00), 0.25, 1.2, 2.0, 70, 20.0,
    ),
    Scanner(
        "scanner-6", "Fir FieldScope", 0.3866, 20, "tif",
        ((0.90, 0.08, 0.02), (0.02, 0.88, 0.10), (0.06, 0.14, 0.80)),
        (0.915, 0.915, 0.860), (0.90, 0.80, 0.95), 0.65, 0.0, 5.0, 60, 20.0,
    ),
)  # fmt: skip

# Further out than the six, for studies: scanners that training never sees.
FAR_SCANNERS: tuple[Scanner, ...] = (
    Scanner(
        "far-blur", "Ginkgo Flatbed", 0.4200, 20, "svs",
        ((0.94, 0.05, 0.01), (0.03, 0.93, 0.04), (0.02, 0.06, 0.92)),
        (0.935, 0.930, 0.925), (1.05, 1.05, 1.02), 1.30, 0.0, 3.0, 65, 20.0,
    ),
    Scanner(
        "far-colour", "Hawthorn Chroma", 0.3050, 40, "tif",
        ((0.74, 0.22, 0.04), (0.14, 0.79, 0.07), (0.09, 0.23, 0.68)),
        (0.985, 0.900, 0.800), (0.75, 1.25, 1.10), 0.30, 0.5, 2.0, 75, 20.0,
    ),
)  # fmt: skip

MAX_SHIFT_UM = 24.0
