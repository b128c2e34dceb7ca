"""A library of nuclei, drawn once per process and then stamped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter

ANGLES = 24  # a nucleus and itself turned by 180 degrees are the same shape, so these span half a turn
VARIANTS = 10


@dataclass(frozen=True)
class NucleusKind:
    """Looks of one kind of nucleus.

    Args:
        length_um, width_um: mean axes.
        spread: relative standard deviation of the size.
        interior: haematoxylin of the chromatin, 1 = a dark lymphocyte.
        rim: haematoxylin of the nuclear membrane.
        clumps: contrast of the chromatin clumps.
        nucleolus_um: diameter of the nucleolus, 0 = not seen.
    """

    length_um: float
    width_um: float
    spread: float
    interior: float
    rim: float
    clumps: float
    nucleolus_um: float


KINDS: dict[str, NucleusKind] = {
    "epithelial": NucleusKind(8.6, 5.8, 0.10, 0.62, 0.80, 0.22, 0.0),
    # enlarged, but with the chromatin of its neighbours: seen in inflammation, whatever the label
    "reactive": NucleusKind(9.8, 7.2, 0.14, 0.58, 0.80, 0.22, 0.0),
    # as large as a reactive one, paler, with a nucleolus: what carries the label
    "altered": NucleusKind(9.9, 7.3, 0.14, 0.46, 0.78, 0.16, 1.7),
    "fibroblast": NucleusKind(14.0, 3.0, 0.18, 0.72, 0.78, 0.15, 0.0),
    "lymphocyte": NucleusKind(6.6, 6.2, 0.08, 0.98, 1.02, 0.25, 0.0),
}


@lru_cache(maxsize=8)
def nucleus_library(nucleus: str, mpp: float) -> np.ndarray:
    """Stamps of one of `KINDS`.

    Returns:
        [VARIANTS, ANGLES, 2, P, P] float32: haematoxylin, and coverage from 0 to 1. Angle i is i * pi / ANGLES
        from the x axis towards the y axis.
    """
    looks = KINDS[nucleus]
    number = list(KINDS).index(nucleus)
    side = int(np.ceil(looks.length_um * (1 + 3.2 * looks.spread) / mpp)) + 6
    stamps = np.empty((VARIANTS, ANGLES, 2, side, side), np.float32)
    for variant in range(VARIANTS):
        for angle in range(ANGLES):
            # The same stream for every angle of a variant: one nucleus, turned.
            draw = np.random.default_rng([variant, number])
            stamps[variant, angle] = _draw(looks, side, mpp, np.pi * angle / ANGLES, draw)
    return stamps


def _draw(looks: NucleusKind, side: int, mpp: float, angle: float, draw: np.random.Generator) -> np.ndarray:
    size = 1 + looks.spread * float(np.clip(draw.standard_normal(), -2, 2))
    axis = np.arange(side, dtype=np.float32) * mpp - (side - 1) / 2 * mpp
    x, y = axis[None, :], axis[:, None]
    u = (x * np.cos(angle) + y * np.sin(angle)) / (looks.length_um * size / 2)
    v = (y * np.cos(angle) - x * np.sin(angle)) / (looks.width_um * size / 2)
    theta = np.arctan2(v, u)
    waves = 0.0
    for order in (2, 3, 4):
        amplitude = draw.normal(0, 0.10 / order)
        waves = waves + amplitude * np.cos(order * theta + draw.uniform(0, 6.3))
    outline = 1 + waves
    # Distance from the outline in µm, negative inside; exact enough near the edge, which is all that shows.
    depth = (np.hypot(u, v) / outline - 1) * looks.width_um * size / 2
    coverage = np.clip(0.5 - depth / 0.5, 0, 1)
    clumps = gaussian_filter(draw.standard_normal((side, side)), 0.55 / mpp)
    body = looks.interior * (1 + looks.clumps * clumps / clumps.std())
    body = body + (looks.rim - looks.interior) * np.exp(-((depth + 0.5) ** 2) / (2 * 0.4**2))
    if looks.nucleolus_um:
        cx, cy = draw.normal(0, 0.8, 2)
        squared_distance = (x - cx) ** 2 + (y - cy) ** 2
        spot = np.exp(-((squared_distance / (looks.nucleolus_um / 2) ** 2) ** 2))
        body = body + (1.05 - body) * spot
    return np.stack([np.clip(body, 0.1, 1.3) * coverage, coverage]).astype(np.float32)
