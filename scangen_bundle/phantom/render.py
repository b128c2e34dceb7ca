"""A specimen as light sees it: stain concentrations at high resolution, nuclei stamped in, Beer-Lambert to RGB."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from scangen_bundle.phantom.architecture import (
    COARSE_UM,
    STROMA,
    Architecture,
    Gland,
    build_architecture,
    smooth_noise,
)
from scangen_bundle.phantom.nuclei import ANGLES, VARIANTS, nucleus_library
from scangen_bundle.phantom.plan import Specimen, random_stream

RENDER_MPP = 0.2125  # 4 px of it make one of the coarse grid

# Optical densities of the stains in R, G, B: the reference vectors of Macenko et al., ISBI 2009.
HAEMATOXYLIN = np.array([0.5626, 0.7201, 0.4062])
EOSIN = np.array([0.2159, 0.8012, 0.5581])

BAND = 256  # rows worked on at a time, so that they stay in the processor's cache

# How each stain's vector moves per unit of `Specimen.hue`: bluer to redder haematoxylin, pinker to orange eosin.
HUE_HAEMATOXYLIN = np.array([-0.06, 0.04, 0.03])
HUE_EOSIN = np.array([-0.04, 0.02, 0.07])


@dataclass(frozen=True)
class Rendering:
    """A specimen at `RENDER_MPP`.

    Args:
        rgb: [S, S, 3] uint8, the light through the specimen, empty glass = 255.
        phenotype: [G, G] uint8 at `COARSE_UM` µm per pixel, the same origin.
        glands, altered_glands: counts.
    """

    rgb: np.ndarray
    phenotype: np.ndarray
    glands: int
    altered_glands: int


class _Canvas:
    """Concentrations of the two stains at `RENDER_MPP`, onto which nuclei are stamped."""

    def __init__(self, plan: Architecture, draw: np.random.Generator) -> None:
        side = plan.eosin.shape[0] * round(COARSE_UM / RENDER_MPP)
        square = 1 + 0.07 * smooth_noise(BAND, 2.0, draw)
        texture = np.tile(square, (1, -(-side // BAND)))[:, :side]
        self.eosin = _enlarge(plan.eosin, side).copy()
        for top in range(0, side, BAND):
            band = self.eosin[top : top + BAND]
            band *= texture[: len(band)]
        self.haematoxylin = _enlarge(plan.haematoxylin, side).copy()
        self.side = side
        self.draw = draw

    def stamp(self, nucleus: str, x: float, y: float, angle: float) -> None:
        """Put a nucleus at x, y µm: the darker of overlapping nuclei shows, and it hides the cytoplasm behind it."""
        variant = int(self.draw.integers(VARIANTS))
        shade = float(self.draw.normal(1, 0.10))
        turn = round(angle / np.pi * ANGLES) % ANGLES
        stain, coverage = nucleus_library(nucleus, RENDER_MPP)[variant, turn]
        window = self._window(x, y, len(stain))
        if window:
            np.maximum(self.haematoxylin[window], stain * shade, out=self.haematoxylin[window])
            self.eosin[window] *= 1 - 0.55 * coverage

    def red_cell(self, x: float, y: float) -> None:
        """Put a red blood cell at x, y µm."""
        size = 35
        window = self._window(x, y, size)
        if window:
            axis = (np.arange(size) - size // 2) * RENDER_MPP
            distance = np.hypot(axis[:, None], axis[None, :])
            edge = np.clip((3.1 - distance) / 0.5, 0, 1)
            np.maximum(self.eosin[window], 0.95 * edge, out=self.eosin[window])

    def _window(self, x: float, y: float, size: int) -> tuple[slice, slice] | None:
        """The square of `size` px about x, y µm; None where it leaves the canvas."""
        row = round(y / RENDER_MPP) - size // 2
        column = round(x / RENDER_MPP) - size // 2
        if min(row, column) < 0 or max(row, column) + size > self.side:
            return None
        return slice(row, row + size), slice(column, column + size)


def render_specimen(specimen: Specimen, side_um: float, margin_um: float, seed: int) -> Rendering:
    """Render one specimen on a square of `side_um` µm."""
    draw = random_stream(seed, 2, specimen.index)
    plan = build_architecture(specimen, side_um, margin_um, draw)
    canvas = _Canvas(plan, draw)
    for gland in plan.glands:
        _line_gland(canvas, gland)
    _fill_stroma(canvas, plan, specimen)
    rgb = _transmit(canvas, specimen)
    altered = sum(gland.nuclei == "altered" for gland in plan.glands)
    return Rendering(rgb, plan.phenotype, len(plan.glands), altered)


def _line_gland(canvas: _Canvas, gland: Gland) -> None:
    """Nuclei along the base of the epithelium; in disordered glands also above it (lost polarity, stratification)."""
    draw = canvas.draw
    thickness = gland.radius * (1 - gland.lumen)
    layers = 1 if not gland.disordered else 1 + int(thickness > 20)
    for layer in range(layers):
        ring = gland.radius - 6.5 - 11 * layer
        spacing = 8.2 if gland.disordered else 6.8
        count = max(6, int(2 * np.pi * ring / spacing))
        for theta in np.arange(count) / count * 2 * np.pi:
            theta = theta + draw.normal(0, 0.18 * 2 * np.pi / count)
            lift = 6.0 + 11 * layer + abs(draw.normal(0, 3.2 if gland.disordered else 1.6))
            radius = float(gland.outline(np.array([theta]))[0]) - lift
            tilt = theta + draw.normal(0, 0.6 if gland.disordered else 0.18)
            nucleus = gland.nuclei if draw.random() < 0.75 else "epithelial"
            x, y = gland.x + radius * np.cos(theta), gland.y + radius * np.sin(theta)
            canvas.stamp(nucleus, x, y, tilt)


def _fill_stroma(canvas: _Canvas, plan: Architecture, specimen: Specimen) -> None:
    """Fibroblasts along the fibres, lymphocytes in clusters, capillaries with red cells."""
    draw = canvas.draw
    rows, columns = np.nonzero(plan.phenotype == STROMA)
    area_mm2 = len(rows) * COARSE_UM**2 * 1e-6

    def positions(count: int) -> np.ndarray:
        picked = draw.integers(len(rows), size=count)
        corners = np.stack([columns[picked], rows[picked]], axis=1)
        return (corners + draw.random((count, 2))) * COARSE_UM

    def is_stroma(x: float, y: float) -> bool:
        row, column = int(y / COARSE_UM), int(x / COARSE_UM)
        side = len(plan.phenotype)
        return 0 <= row < side and 0 <= column < side and plan.phenotype[row, column] == STROMA

    for x, y in positions(int(1500 * area_mm2)):
        along = float(plan.fibre_angle[int(y / COARSE_UM), int(x / COARSE_UM)])
        canvas.stamp("fibroblast", x, y, along + draw.normal(0, 0.25))
    for centre in positions(int(specimen.lymphocytes * area_mm2 / 12) + 1):
        for x, y in centre + draw.normal(0, 13, (int(draw.integers(4, 22)), 2)):
            if is_stroma(x, y):
                canvas.stamp("lymphocyte", x, y, draw.uniform(0, np.pi))
    for centre in positions(int(40 * area_mm2)):
        for x, y in centre + draw.normal(0, 5, (int(draw.integers(3, 9)), 2)):
            if is_stroma(x, y):
                canvas.red_cell(x, y)


def _transmit(canvas: _Canvas, specimen: Specimen) -> np.ndarray:
    """Beer-Lambert: 255 * 10 ** -(concentrations x stain vectors), [S, S, 3] uint8."""
    blue = 1.1 * specimen.haematoxylin * (HAEMATOXYLIN + specimen.hue * HUE_HAEMATOXYLIN)
    pink = 0.5 * specimen.eosin * (EOSIN + specimen.hue * HUE_EOSIN)
    rgb = np.empty((canvas.side, canvas.side, 3), np.uint8)
    for top in range(0, canvas.side, BAND):
        rows = slice(top, top + BAND)
        for channel in range(3):
            density = canvas.haematoxylin[rows] * np.float32(-np.log(10) * blue[channel])
            density -= canvas.eosin[rows] * np.float32(np.log(10) * pink[channel])
            np.exp(density, out=density)
            density *= 255
            np.minimum(density, 255, out=density)
            rgb[rows, :, channel] = density
    return rgb


def _enlarge(field: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(Image.fromarray(field).resize((side, side), Image.Resampling.BICUBIC))
