"""A slide as square tiles at powers of two (Deep Zoom), whatever its own pyramid: pure geometry.

A display pixel is square: it has the size of the slide's finer axis. Level `max_level` has the slide's own resolution and
each level below it half of that of the next. Sizes are (width, height).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

TILE_PX = 512
SMALLEST_PX = 1024  # longest side of the coarsest level that is offered
SAME = 1e-3  # sizes in level px that differ by less are the same


@dataclass(frozen=True)
class Pyramid:
    """How a slide is cut.

    Attributes:
        size: of the finest level, display px.
        pixel: level-0 px per display px, (x, y).
        tile_px: side of a tile.
    """

    size: tuple[int, int]
    pixel: tuple[float, float] = (1.0, 1.0)
    tile_px: int = TILE_PX

    @property
    def max_level(self) -> int:
        """Number of the finest level, so that level 0 is a single pixel."""
        return math.ceil(math.log2(max(*self.size, 1)))

    @property
    def min_level(self) -> int:
        """Number of the coarsest level that is offered."""
        excess = max(self.size) / SMALLEST_PX
        return max(0, self.max_level - max(0, math.ceil(math.log2(excess))))

    def level_size(self, level: int) -> tuple[int, int]:
        """Size of a level in its own px, rounded up."""
        scale = self.scale(level)
        return math.ceil(self.size[0] / scale), math.ceil(self.size[1] / scale)

    def scale(self, level: int) -> int:
        """Display px of the finest level per px of `level`."""
        return 2 ** (self.max_level - level)

    def contains(self, level: int, column: int, row: int) -> bool:
        """Whether there is such a tile."""
        if not self.min_level <= level <= self.max_level:
            return False
        width, height = self.level_size(level)
        return 0 <= column * self.tile_px < width and 0 <= row * self.tile_px < height


@dataclass(frozen=True)
class Region:
    """What to read for a tile.

    Attributes:
        level: of the slide.
        corner: top-left corner in px of that level.
        size: of the region in px of that level.
        box: (left, top, right, bottom) of the tile inside the region.
        tile: size of the tile.
    """

    level: int
    corner: tuple[int, int]
    size: tuple[int, int]
    box: tuple[float, float, float, float]
    tile: tuple[int, int]

    @property
    def as_it_is(self) -> bool:
        """Whether the region's pixels are the tile's."""
        return self.size == self.tile and self.box == (0, 0, *self.tile)

    @property
    def whole_steps(self) -> bool:
        """Whether a pixel of the tile is a whole number of pixels of the region."""
        return all(abs(step - round(step)) < SAME and step >= 1 for step in self.steps)

    @property
    def steps(self) -> tuple[float, float]:
        """Pixels of the region per pixel of the tile."""
        left, top, right, bottom = self.box
        return (right - left) / self.tile[0], (bottom - top) / self.tile[1]


def make_pyramid(size: tuple[int, int], mpp: tuple[float, float] | None) -> Pyramid:
    """The pyramid of a slide.

    Args:
        size: of level 0 in px.
        mpp: of level 0 in µm/px; None: its pixels are taken as square.
    """
    if mpp is None or math.isclose(*mpp, rel_tol=1e-3):
        return Pyramid(size)
    side = min(mpp)
    pixel = side / mpp[0], side / mpp[1]
    return Pyramid((round(size[0] / pixel[0]), round(size[1] / pixel[1])), pixel)


def tile_region(
    pyramid: Pyramid, downsamples: Sequence[tuple[float, float]], level: int, column: int, row: int
) -> Region:
    """What to read of the slide for a tile: from its coarsest level that is at least as fine as the tile.

    Args:
        pyramid: of the slide.
        downsamples: (x, y) of each of the slide's levels.
        level, column, row: of the tile, which the pyramid has to contain.
    """
    level_size = pyramid.level_size(level)
    start = column * pyramid.tile_px, row * pyramid.tile_px
    width = min(pyramid.tile_px, level_size[0] - start[0])
    height = min(pyramid.tile_px, level_size[1] - start[1])
    scale = pyramid.scale(level)
    wanted = scale * pyramid.pixel[0], scale * pyramid.pixel[1]
    source = _coarsest(downsamples, wanted)
    step = wanted[0] / downsamples[source][0], wanted[1] / downsamples[source][1]
    left, top = _snap(start[0] * step[0]), _snap(start[1] * step[1])
    right, bottom = _snap((start[0] + width) * step[0]), _snap((start[1] + height) * step[1])
    exact = Region(source, (0, 0), (0, 0), (left, top, right, bottom), (width, height))
    margin = 0 if exact.whole_steps else math.ceil(max(step)) + 1  # for the resampling filter
    corner = math.floor(left) - margin, math.floor(top) - margin
    size = math.ceil(right) + margin - corner[0], math.ceil(bottom) + margin - corner[1]
    box = left - corner[0], top - corner[1], right - corner[0], bottom - corner[1]
    return Region(source, corner, size, box, (width, height))


def _coarsest(downsamples: Sequence[tuple[float, float]], wanted: tuple[float, float]) -> int:
    fine = [i for i, (x, y) in enumerate(downsamples) if x <= wanted[0] * (1 + SAME) and y <= wanted[1] * (1 + SAME)]
    return max(fine, key=lambda i: downsamples[i][0], default=0)


def _snap(value: float) -> float:
    """A whole number where the value is one but for rounding."""
    return float(round(value)) if abs(value - round(value)) < SAME else value
