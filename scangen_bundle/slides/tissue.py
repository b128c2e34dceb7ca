"""Where the tissue is, decided in a way that does not depend on the scanner's white point or colour response."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from scangen_bundle.slides.ink import ink_mask, strength_and_chroma
from scangen_bundle.slides.overview import read_overview
from scangen_bundle.slides.reader import SlideReader
from scangen_bundle.slides.resolution import resolve_mpp

FLOOR_OD = 0.05
FLOOR_CHROMA = 0.02
NOISE_FACTOR = 4.0
# Options of `tissue_mask` for what the manifest calls a slide; configs/tissue has the same for whole cohorts.
TISSUE_OPTIONS: dict[str, dict[str, float]] = {"section": {}, "smear": {"closing_um": 200, "min_area_um2": 200000}}
FILL = 254.99  # what a scanner writes where it did not scan; real glass is never exactly this


@dataclass(frozen=True, eq=False)
class TissueMask:
    """Which parts of a slide are tissue; it covers the whole slide from its top-left corner.

    Attributes:
        mask: bool [h, w], True is tissue.
        mpp: size (x, y) of a mask px in µm.
        scale: size (x, y) of a mask px in level-0 px.
        glass: colour of the bare glass (red, green, blue), 0 to 255; None where it was not looked for.
    """

    mask: np.ndarray
    mpp: tuple[float, float]
    scale: tuple[float, float]
    glass: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.mask.ndim != 2 or self.mask.dtype != bool:
            raise ValueError(f"a tissue mask is bool [h, w], got {self.mask.dtype} {self.mask.shape}")
        if min(*self.mpp, *self.scale) <= 0:
            raise ValueError(f"mpp {self.mpp} and scale {self.scale} of a tissue mask have to be positive")

    @property
    def source_mpp(self) -> tuple[float, float]:
        """Resolution (x, y) of level 0, µm/px."""
        return self.mpp[0] / self.scale[0], self.mpp[1] / self.scale[1]

    @property
    def area_um2(self) -> float:
        """Area of the tissue, µm²."""
        return float(self.mask.sum() * self.mpp[0] * self.mpp[1])

    @property
    def area_mm2(self) -> float:
        """Area of the tissue, mm²."""
        return self.area_um2 * 1e-6


def tissue_mask(
    reader: SlideReader,
    *,
    source_mpp: float | tuple[float, float] | None = None,
    mask_mpp: float = 8.0,
    relative_threshold: float = 0.25,
    closing_um: float = 24.0,
    min_area_um2: float = 2000.0,
) -> TissueMask:
    """Find the tissue on a slide, at `mask_mpp` or at level 0 if that is coarser; see `find_tissue` for how.

    Args:
        reader: an open slide.
        source_mpp: resolution of level 0 in µm/px, if the file's own is missing or wrong.
        mask_mpp: size of a mask px, µm.
        relative_threshold: the tissue's edge, as a fraction of the slide's own typical tissue optical density.
        closing_um: gaps in the tissue up to about twice this are closed. Histology: the default; smears and cytospins,
            whose cells lie apart: 200, with `min_area_um2` 200,000.
        min_area_um2: smaller pieces and smaller holes are dropped.

    Raises:
        InputError: no plausible resolution, or the file is damaged.
    """
    source = resolve_mpp(reader.mpp, mask_mpp, source_mpp, reader.path)
    mpp = max(mask_mpp, source[0]), max(mask_mpp, source[1])
    scale = mpp[0] / source[0], mpp[1] / source[1]
    overview = read_overview(reader, scale)
    white = glass_white(overview)
    mask = find_tissue(overview, mpp, relative_threshold, closing_um, min_area_um2, white)
    return TissueMask(mask, mpp, scale, (float(white[0]), float(white[1]), float(white[2])))


def find_tissue(
    overview: np.ndarray,
    mpp: tuple[float, float],
    relative_threshold: float = 0.25,
    closing_um: float = 24.0,
    min_area_um2: float = 2000.0,
    white: np.ndarray | None = None,
) -> np.ndarray:
    """Tissue on an overview picture: bool [h, w].

    Why the answer does not depend on the scanner:

    - *White point, gain, exposure, tint*: the picture is turned into optical density relative to the slide's own glass
      (`glass_white`), OD_c = -log10(I_c / white_c). A gain per channel cancels.
    - *Gamma, contrast*: I -> I^g turns OD into g * OD. The edge of the tissue is where OD is `relative_threshold`
      times the slide's typical tissue OD, so that a factor on OD cancels too.
    - *Vignetting, stitching shades, dust, grey and black bars*: these darken all colours alike. A stain does not, so
      tissue also needs a difference between the colours' OD (chroma) above the same kind of threshold.
    - *Noise*: both thresholds are at least `NOISE_FACTOR` times the spread of the glass.

    An empty slide has no typical tissue, so the thresholds also have absolute floors (`FLOOR_OD`, `FLOOR_CHROMA`). The
    floors are the only part that a scanner's contrast can move; they matter below an OD of 0.2.

    Args:
        overview: [h, w, 3] in 0 to 255.
        mpp: size (x, y) of a px in µm.
        relative_threshold, closing_um, min_area_um2: see `tissue_mask`.
        white: colour of the glass [3]; None looks for it.
    """
    density = optical_density(overview, glass_white(overview) if white is None else white)
    refused = ink_mask(density)
    strength, chroma = strength_and_chroma(density)
    glass = (strength < FLOOR_OD) & ~refused
    noise, chroma_noise = (spread(values[glass]) for values in (strength, chroma))
    stained = (chroma > max(FLOOR_CHROMA, NOISE_FACTOR * chroma_noise)) & ~refused
    threshold = max(
        relative_threshold * typical_density(strength[stained], relative_threshold), FLOOR_OD, NOISE_FACTOR * noise
    )
    return tidy(stained & (strength > threshold), refused, mpp, closing_um, min_area_um2)


def glass_white(overview: np.ndarray) -> np.ndarray:
    """Colour of the bare glass: float [3], the peak of the bright, even part of an overview [h, w, 3] in 0 to 255.

    Pure white is what scanners put where they did not scan; it counts as glass only if hardly anything else does.
    """
    brightness = overview.mean(axis=-1)
    slope = np.hypot(ndimage.sobel(brightness, 0), ndimage.sobel(brightness, 1)) / 8  # grey levels per px
    scanned = brightness < FILL
    if scanned.mean() < 0.005:
        return np.full(3, 255.0)
    bright = scanned & (brightness >= 0.85 * np.percentile(brightness[scanned], 99.5))
    even = bright & (slope <= np.median(slope[bright]))
    levels = brightness[even]
    counts = ndimage.gaussian_filter1d(np.bincount(np.rint(levels * 2).astype(int), minlength=512).astype(float), 2.0)
    peak = counts.argmax() / 2
    return np.median(overview[even][np.abs(levels - peak) <= 3], axis=0).astype(float)


def optical_density(overview: np.ndarray, white: np.ndarray) -> np.ndarray:
    """-log10(I / white) of [h, w, 3] in 0 to 255, not below zero; black is taken as one grey level."""
    return np.maximum(-np.log10(np.maximum(overview, 1.0) / np.maximum(white, 1.0)), 0.0).astype(np.float32)


def spread(values: np.ndarray) -> float:
    """Standard deviation as the median absolute deviation tells it (1.4826 MAD); 0 of nothing."""
    if not values.size:
        return 0.0
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def typical_density(density: np.ndarray, relative_threshold: float) -> float:
    """The density of most tissue, found such that scaling all densities scales it alike; 0 of nothing.

    The contraharmonic mean (sum of squares over sum) lies near the tissue's density however much of the picture is
    faint; the median of what is above `relative_threshold` times that mean then forgets the few darkest spots.
    """
    total = float(density.sum(dtype=np.float64))
    if total == 0:
        return 0.0
    first = float(np.square(density, dtype=np.float64).sum()) / total
    return float(np.median(density[density >= relative_threshold * first]))


def tidy(
    tissue: np.ndarray, refused: np.ndarray, mpp: tuple[float, float], closing_um: float, min_area_um2: float
) -> np.ndarray:
    """Close gaps up to about twice `closing_um`, then drop pieces and holes below `min_area_um2`; none of it refused."""
    closed = close_gaps(tissue, mpp, closing_um)
    least = min_area_um2 / (mpp[0] * mpp[1])
    whole = drop_small(closed & ~refused, least)
    return ~drop_small(~whole, least) & ~refused if whole.any() else whole


def close_gaps(mask: np.ndarray, mpp: tuple[float, float], radius_um: float) -> np.ndarray:
    """Morphological closing with a disk, through distances: its time does not grow with the radius."""
    if not mask.any() or radius_um <= 0:
        return mask
    pad_y, pad_x = (int(radius_um / size) + 2 for size in (mpp[1], mpp[0]))
    padded = np.pad(mask, ((pad_y, pad_y), (pad_x, pad_x)))  # else what is near the slide's border would grow
    grown = ndimage.distance_transform_edt(~padded, sampling=(mpp[1], mpp[0])) <= radius_um
    closed = ndimage.distance_transform_edt(grown, sampling=(mpp[1], mpp[0])) > radius_um
    return closed[pad_y:-pad_y, pad_x:-pad_x] | mask


def drop_small(mask: np.ndarray, least_px: float) -> np.ndarray:
    """`mask` without its 8-connected pieces of fewer than `least_px` px."""
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    if not count:
        return mask
    keep = np.bincount(labels.ravel()) >= least_px
    keep[0] = False
    return keep[labels]
