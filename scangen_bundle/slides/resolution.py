"""Exact resolution: which mpp a slide has, and what to read so that a tile has exactly the mpp that was asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.units import PLAUSIBLE_MPP

UPSAMPLING_LIMIT = 1.05
LEVEL_TOLERANCE = 1e-3
NARROWEST_MM, WIDEST_MM = 2.0, 80.0  # of what is scanned on a slide of 25 by 75 mm


def resolve_mpp(
    metadata: tuple[float, float] | None,
    target_mpp: float,
    override: float | Sequence[float] | np.ndarray | None = None,
    where: object = "slide",
) -> tuple[float, float]:
    """The slide's level-0 resolution: the user's override, else the file's own value, else an error.

    The file's own value has to be plausible on both axes: 0.05 to 5 µm/px, or within a factor of two of the resolution
    asked for (a very coarse slide is read when it is asked for as such; a bogus 1,000 µm/px is not believed). An
    override is believed as it is.

    Args:
        metadata: (x, y) in µm/px as the file says, or None.
        target_mpp: the resolution that will be asked for, µm/px.
        override: the user's value, one for both axes or (x, y); None or NaN means none.
        where: what to name in an error.

    Returns:
        (x, y) in µm/px.

    Raises:
        InputError: no resolution, an implausible one, or an override that is not a positive number.
    """
    remedy = "state the slide's mpp (column mpp of the manifest, or source_mpp)"
    if override is not None:
        problem = f"the stated mpp {override!r} is not one or two positive numbers"
        try:
            stated = np.asarray(override, np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(where, problem, remedy) from error
        if not np.isnan(stated).any():
            if stated.shape not in ((), (2,)) or not (np.isfinite(stated) & (stated > 0)).all():
                raise InputError(where, problem, remedy)
            x, y = np.broadcast_to(stated, 2).tolist()
            return x, y
    if metadata is None:
        raise InputError(where, "the file does not say its resolution (no mpp)", remedy)
    low, high = min(PLAUSIBLE_MPP[0], target_mpp / 2), max(PLAUSIBLE_MPP[1], target_mpp * 2)
    if not all(math.isfinite(value) and low <= value <= high for value in metadata):
        raise InputError(
            where,
            f"the file says {metadata[0]:g} x {metadata[1]:g} µm/px, expected {PLAUSIBLE_MPP[0]:g} to "
            f"{PLAUSIBLE_MPP[1]:g}: a wrong value",
            f"{remedy}; where it is right, ask for a resolution near it (--mpp)",
        )
    return float(metadata[0]), float(metadata[1])


def doubtful_width(size: tuple[int, int], source_mpp: tuple[float, float]) -> str:
    """A question about the resolution where it makes a scan too small or too large for a slide; "" where it does not.

    Args:
        size: (width, height) of level 0, px.
        source_mpp: (x, y), µm/px.
    """
    width, height = (pixels * mpp / 1000 for pixels, mpp in zip(size, source_mpp, strict=True))
    least, most = NARROWEST_MM, WIDEST_MM
    if least <= max(width, height) <= most:
        return ""
    return f"at {source_mpp[0]:.4g} µm/px it would be {width:.2g} mm wide: is the mpp right?"


@dataclass(frozen=True)
class ReadPlan:
    """How to read a tile of exactly the mpp asked for. Sizes are (width, height), resolutions (x, y).

    Attributes:
        source_mpp: resolution of level 0, µm/px.
        effective_mpp: resolution of the tile, µm/px; the one asked for to within 0.01 px over the tile.
        read_level: the level to read.
        level_downsample: downsample of that level.
        tile_px: side of the tile.
        tile_size_level0: field of view of the tile, in px of level 0.
        extent: field of view of the tile, in px of the level read.
        region_size: whole px to read at the level: the field of view, rounded up.
    """

    source_mpp: tuple[float, float]
    effective_mpp: tuple[float, float]
    read_level: int
    level_downsample: tuple[float, float]
    tile_px: int
    tile_size_level0: tuple[float, float]
    extent: tuple[float, float]
    region_size: tuple[int, int]

    @property
    def resampled(self) -> bool:
        """False when the pixels of the level are the tile's pixels."""
        return self.extent != (self.tile_px, self.tile_px)


def plan_read(
    level_downsamples: Sequence[tuple[float, float]],
    source_mpp: tuple[float, float],
    target_mpp: float,
    tile_px: int,
    allow_upsampling: bool = False,
    where: object = "slide",
) -> ReadPlan:
    """Choose the coarsest level that is at least as fine as the target on both axes, and the field of view there.

    Args:
        level_downsamples: (x, y) of each level.
        source_mpp: (x, y) of level 0, µm/px.
        target_mpp: resolution asked for, µm/px.
        tile_px: side of the tile asked for.
        allow_upsampling: allow a target finer than level 0 by more than 5 %.
        where: what to name in an error.

    Raises:
        InputError: the target is finer than level 0 by more than 5 % and that is not allowed.
        ValueError: target or tile size not positive.
    """
    if not (target_mpp > 0 and math.isfinite(target_mpp) and tile_px > 0):
        raise ValueError(f"mpp {target_mpp} and tile_px {tile_px} have to be positive")
    level_mpp = [(source_mpp[0] * x, source_mpp[1] * y) for x, y in level_downsamples]
    # The tolerance takes in the rounding of level sizes and of mpp values as they are written.
    fine_enough = [level for level, mpp in enumerate(level_mpp) if max(mpp) <= target_mpp * (1 + LEVEL_TOLERANCE)]
    if fine_enough:
        level = max(fine_enough, key=lambda index: level_mpp[index][0] * level_mpp[index][1])
    else:
        level = min(range(len(level_mpp)), key=lambda index: level_mpp[index][0] * level_mpp[index][1])
        finest = max(level_mpp[level])
        if finest > target_mpp * UPSAMPLING_LIMIT and not allow_upsampling:
            raise InputError(
                where,
                f"the slide has {finest:.4g} µm/px, {target_mpp:g} was asked for: that would be upsampling by "
                f"{finest / target_mpp - 1:.0%}",
                "ask for a coarser mpp, leave the slide out, or set allow_upsampling",
            )
    exact = (tile_px * target_mpp / level_mpp[level][0], tile_px * target_mpp / level_mpp[level][1])
    as_is = all(abs(length - tile_px) < 0.01 for length in exact)
    extent = (float(tile_px), float(tile_px)) if as_is else exact
    downsample = level_downsamples[level]
    return ReadPlan(
        source_mpp=source_mpp,
        effective_mpp=(level_mpp[level][0] * extent[0] / tile_px, level_mpp[level][1] * extent[1] / tile_px),
        read_level=level,
        level_downsample=downsample,
        tile_px=tile_px,
        tile_size_level0=(extent[0] * downsample[0], extent[1] * downsample[1]),
        extent=extent,
        region_size=(tile_px, tile_px) if as_is else (math.floor(extent[0]) + 1, math.floor(extent[1]) + 1),
    )
