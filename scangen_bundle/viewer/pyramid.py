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
        return math.ceil(math.log2(max(self.size)))

    @property
    def min_level(self) -> int:
        """Number of the coarsest level that is offered."""
        excess = max(self.size) / SMALLEST_PX
        if excess <= 1:
            return self.max_level
        return self.max_level - math.ceil(math.log2(excess))

    def level_size(self, level: int) -> tuple[int, int]:
        """Size of a level in its own px, rounded up."""
        scale = self.scale(level)
        width, height = self.size
        return math.ceil(width / scale), math.ceil(height / scale)

    def scale(self, level: int) -> int:
        """Display px of the finest level per px of `level`."""
        return 2 ** (self.max_level - level)

    def contains(self, level: int, column: int, row: int) -> bool:
        """Whether there is such a tile."""
        if not self.min_level <= level <= self.max_level:
            return False
        width, height = self.level_size(level)
        x, y = column * self.tile_px, row * self.tile_px
        return 0 <= x < width and 0 <= y < height


@dataclass(frozen=True)
class Span:
    """One axis of a tile, in px of the slide's level that is read.

    Attributes:
        start, stop: of the tile.
        px: length of the tile in its own px.
    """

    start: float
    stop: float
    px: int

    @property
    def step(self) -> float:
        """Level px per px of the tile."""
        return (self.stop - self.start) / self.px

    @property
    def is_whole(self) -> bool:
        """Whether a px of the tile is a whole number of level px."""
        return self.step >= 1 and abs(self.step - round(self.step)) < SAME

    def read(self, margin: int) -> tuple[int, int, float, float]:
        """First px to read and number of px, with a margin, and where the tile starts and stops among them."""
        first = math.floor(self.start) - margin
        count = math.ceil(self.stop) + margin - first
        return first, count, self.start - first, self.stop - first


@dataclass(frozen=True)
class Region:
    """What to read for a tile.

    Attributes:
        level: of the slide.
        corner: top-left corner in px of that level.
        size: of the region in px of that level.
        box: (left, top, right, bottom) of the tile inside the region.
        tile: size of the tile.
        shrink: (x, y) level px per px of the tile where both are whole numbers, else None.
    """

    level: int
    corner: tuple[int, int]
    size: tuple[int, int]
    box: tuple[float, float, float, float]
    tile: tuple[int, int]
    shrink: tuple[int, int] | None


def make_pyramid(size: tuple[int, int], mpp: tuple[float, float] | None) -> Pyramid:
    """The pyramid of a slide.

    Args:
        size: of level 0 in px.
        mpp: of level 0 in µm/px; None: its pixels are taken as square.
    """
    if mpp is None or math.isclose(*mpp, rel_tol=1e-3):
        return Pyramid(size)
    side = min(mpp)
    x, y = side / mpp[0], side / mpp[1]
    square = round(size[0] / x), round(size[1] / y)
    return Pyramid(square, (x, y))


def tile_region(
    pyramid: Pyramid, downsamples: Sequence[tuple[float, float]], level: int, column: int, row: int
) -> Region:
    """What to read of the slide for a tile: from its coarsest level that is at least as fine as the tile.

    Args:
        pyramid: of the slide.
        downsamples: (x, y) of each of the slide's levels.
        level, column, row: of the tile, which the pyramid has to contain.
    """
    width, height = pyramid.level_size(level)
    scale = pyramid.scale(level)
    x_scale, y_scale = scale * pyramid.pixel[0], scale * pyramid.pixel[1]  # level-0 px per px of the tile
    source = finest_enough(downsamples, (x_scale, y_scale))
    x_down, y_down = downsamples[source]
    across = _span(column, pyramid.tile_px, width, x_scale / x_down)
    down = _span(row, pyramid.tile_px, height, y_scale / y_down)
    shrink, margin = None, math.ceil(max(across.step, down.step)) + 1  # for the resampling filter
    if across.is_whole and down.is_whole:
        shrink, margin = (round(across.step), round(down.step)), 0
    x, region_width, left, right = across.read(margin)
    y, region_height, top, bottom = down.read(margin)
    box = left, top, right, bottom
    return Region(source, (x, y), (region_width, region_height), box, (across.px, down.px), shrink)


def finest_enough(downsamples: Sequence[tuple[float, float]], scale: tuple[float, float]) -> int:
    """Number of the coarsest level that is at least as fine as `scale` level-0 px (x, y) per px, else 0."""
    chosen = 0
    for number, (x, y) in enumerate(downsamples):
        is_fine = x <= scale[0] * (1 + SAME) and y <= scale[1] * (1 + SAME)
        if is_fine and x > downsamples[chosen][0]:
            chosen = number
    return chosen


def _span(index: int, tile_px: int, length: int, step: float) -> Span:
    """A tile's axis: tile `index` of a level that is `length` px long, with `step` px of the slide's level per px."""
    start = index * tile_px
    stop = min(start + tile_px, length)
    return Span(_snap(start * step), _snap(stop * step), stop - start)


def _snap(value: float) -> float:
    """A whole number where the value is one but for rounding."""
    nearest = float(round(value))
    return nearest if abs(value - nearest) < SAME else value
