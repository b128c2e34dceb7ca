"""The layout of a specimen on a coarse grid: tissue, glands, lumina and fibres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from scangen_bundle.phantom.plan import Specimen

COARSE_UM = 0.85

GLASS, STROMA, GLAND, ALTERED = 0, 1, 2, 3


@dataclass(frozen=True)
class Gland:
    """A gland whose outline is a circle with a few harmonics; x, y and radius in µm.

    `nuclei` is what lines it: "epithelial" in an ordered gland, "reactive" or "altered" in a disordered one.
    """

    x: float
    y: float
    radius: float
    lumen: float
    amplitudes: np.ndarray
    phases: np.ndarray
    nuclei: str

    @property
    def disordered(self) -> bool:
        return self.nuclei != "epithelial"

    def outline(self, theta: np.ndarray) -> np.ndarray:
        """Outer radius in µm in the direction `theta`."""
        orders = np.arange(2, 6)[:, None]
        waves = self.amplitudes[:, None] * np.cos(orders * theta.ravel() + self.phases[:, None])
        radius = self.radius * (1 + waves.sum(axis=0))
        return radius.reshape(theta.shape)


@dataclass(frozen=True)
class Architecture:
    """Coarse maps, all [G, G] at `COARSE_UM` µm per pixel from the specimen's origin.

    Args:
        phenotype: uint8 GLASS, STROMA, GLAND or ALTERED.
        eosin, haematoxylin: float32 concentrations of everything but nuclei.
        fibre_angle: float32, radians, direction of the collagen.
    """

    phenotype: np.ndarray
    eosin: np.ndarray
    haematoxylin: np.ndarray
    fibre_angle: np.ndarray
    glands: list[Gland]


def smooth_noise(side: int, scale_px: float, draw: np.random.Generator) -> np.ndarray:
    """[side, side] float32 of noise with mean 0, deviation 1 and a correlation length of about `scale_px` pixels."""
    cells = max(4, int(np.ceil(side / scale_px)) + 3)
    coarse = draw.standard_normal((cells, cells)).astype(np.float32)
    image = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC, box=(1, 1, cells - 1, cells - 1))
    field = np.asarray(image)
    return (field - field.mean()) / (field.std() + 1e-6)


def build_architecture(specimen: Specimen, side_um: float, margin_um: float, draw: np.random.Generator) -> Architecture:
    """Lay out a specimen on a square of `side_um` with glass of at least about `margin_um` around the tissue."""
    side = int(np.ceil(side_um / COARSE_UM))
    axis = (np.arange(side, dtype=np.float32) + 0.5) * COARSE_UM
    half = side_um / 2 - margin_um
    x, y = np.meshgrid(axis - side_um / 2, axis - side_um / 2)
    # A rounded square with a ragged edge: 4-norm distance, disturbed at two scales.
    ragged = 0.05 * smooth_noise(side, 90, draw) + 0.012 * smooth_noise(side, 14, draw)
    tissue = ((x / half) ** 4 + (y / half) ** 4) ** 0.25 + ragged < 0.9

    angle = draw.uniform(0, np.pi) + 0.7 * smooth_noise(side, 160, draw)
    fibres = _fibres(side, angle, draw)
    cleft = np.clip(2.6 * (-fibres - 0.9 + 0.5 * smooth_noise(side, 60, draw)), 0, 1)
    eosin = (0.28 + 0.24 * np.clip(1 + 0.6 * fibres, 0, 2)) * (1 - 0.85 * cleft)
    eosin = eosin * (1 + 0.12 * smooth_noise(side, 110, draw))
    haematoxylin = 0.05 + 0.02 * smooth_noise(side, 60, draw)
    phenotype = np.where(tissue, STROMA, GLASS).astype(np.uint8)
    eosin, haematoxylin = eosin * tissue, haematoxylin * tissue

    glands = _place_glands(specimen, tissue, side_um, draw)
    grain = smooth_noise(side, 2.2, draw)
    for gland in glands:
        _draw_gland(gland, axis, grain, phenotype, eosin, haematoxylin, draw)
    return Architecture(
        phenotype,
        gaussian_filter(eosin, 0.6).astype(np.float32),
        gaussian_filter(haematoxylin, 0.6).astype(np.float32),
        angle.astype(np.float32),
        glands,
    )


def _fibres(side: int, angle: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Wavy bundles: noise that is long along x and short along y, looked up along bent coordinates."""
    source = gaussian_filter(draw.standard_normal((side, side)).astype(np.float32), (1.0, 18), mode="wrap")
    source /= source.std()
    bundles = gaussian_filter(draw.standard_normal((side, side)).astype(np.float32), (3.5, 40), mode="wrap")
    source += 0.8 * bundles / bundles.std()
    source /= source.std()
    row, column = np.mgrid[0:side, 0:side].astype(np.float32)
    main = float(angle.mean())
    along = column * np.cos(main) + row * np.sin(main)
    across = row * np.cos(main) - column * np.sin(main)
    across = across + 17 * smooth_noise(side, 130, draw) + 2.5 * smooth_noise(side, 30, draw)
    return map_coordinates(source, [across, along], order=1, mode="grid-wrap")


def _place_glands(specimen: Specimen, tissue: np.ndarray, side_um: float, draw: np.random.Generator) -> list[Gland]:
    """Throw glands at random, keep those in tissue and apart from the others, then disorder a share of them."""
    placed: list[tuple[float, float, float]] = []
    for _ in range(int(900 * specimen.gland_share)):
        x, y = draw.uniform(0, side_um, 2)
        radius = float(np.clip(draw.normal(specimen.gland_radius_um, 9), 22, 70))
        column, row = int(x / COARSE_UM), int(y / COARSE_UM)
        reach = int(1.1 * radius / COARSE_UM)
        inside = _in_tissue(tissue, row, column, reach)
        if inside and all(np.hypot(x - a, y - b) > 1.07 * (radius + r) for a, b, r in placed):
            placed.append((float(x), float(y), radius))
    # The phenotype grows from one spot, as a lesion does: the nearest glands are the altered ones. The farthest react.
    spot = draw.uniform(0.3, 0.7, 2) * side_um
    order = np.argsort([np.hypot(x - spot[0], y - spot[1]) for x, y, _ in placed])
    reactive = round(specimen.reactive_fraction * len(placed))
    altered = int(np.ceil(specimen.altered_fraction * len(placed)))
    nuclei = np.full(len(placed), "epithelial", dtype=object)
    nuclei[order[len(placed) - reactive :]] = "reactive"
    nuclei[order[:altered]] = "altered"
    glands = []
    for index, (x, y, radius) in enumerate(placed):
        disordered = nuclei[index] != "epithelial"
        wild = 0.075 if disordered else 0.045
        lumen = draw.uniform(0.18, 0.42) if disordered else draw.uniform(0.32, 0.5)
        amplitudes = draw.normal(0, wild, 4) / (1, 1.2, 1.8, 2.2)
        phases = draw.uniform(0, 2 * np.pi, 4)
        glands.append(Gland(x, y, radius, float(lumen), amplitudes, phases, nuclei[index]))
    return glands


def _in_tissue(tissue: np.ndarray, row: int, column: int, reach: int) -> bool:
    """Whether the centre, corners and sides of a square lie in tissue."""
    side = len(tissue)
    for r in (row - reach, row, row + reach):
        for c in (column - reach, column, column + reach):
            if not (0 <= r < side and 0 <= c < side and tissue[r, c]):
                return False
    return True


def _draw_gland(
    gland: Gland,
    axis: np.ndarray,
    grain: np.ndarray,
    phenotype: np.ndarray,
    eosin: np.ndarray,
    haematoxylin: np.ndarray,
    draw: np.random.Generator,
) -> None:
    """Paint one gland into the maps: basement membrane, cytoplasm, cell borders, lumen with some secretion."""
    reach = 1.5 * gland.radius
    rows = slice(*np.searchsorted(axis, [gland.y - reach, gland.y + reach]))
    columns = slice(*np.searchsorted(axis, [gland.x - reach, gland.x + reach]))
    grain, phenotype, eosin, haematoxylin = (
        field[rows, columns] for field in (grain, phenotype, eosin, haematoxylin)
    )  # views
    x, y = np.meshgrid(axis[columns] - gland.x, axis[rows] - gland.y)
    theta = np.arctan2(y, x)
    outer = gland.outline(theta)
    depth = outer - np.hypot(x, y)
    inside = depth > 0
    thickness = outer * (1 - gland.lumen)
    lumen = depth > thickness + 1.2 * grain
    cells = inside & ~lumen
    phenotype[inside] = ALTERED if gland.nuclei == "altered" else GLAND

    relative = np.clip(depth / thickness, 0, 1)
    # Borders between columnar cells run radially, one every 7 µm or so of the outline.
    cells_around = np.round(np.pi * gland.radius / 7)
    borders = np.abs(np.sin(theta * cells_around + 0.8 * grain)) < 0.13
    tone = 0.34 + 0.10 * relative + 0.05 * grain + 0.10 * borders
    eosin[cells] = tone[cells]
    haematoxylin[cells] = (0.13 - 0.04 * relative + 0.02 * grain)[cells]
    brush = lumen & (depth < thickness + 2.5)
    secretion = float(draw.choice([0.02, 0.02, 0.16]))
    eosin[lumen] = secretion + 0.01 * np.abs(grain[lumen])
    haematoxylin[lumen] = 0.01
    eosin[brush] = 0.5
    membrane = np.abs(depth) < 1.3
    eosin[membrane] = 0.62
