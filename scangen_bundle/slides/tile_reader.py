"""Tiles at exactly one resolution, whatever the scanner: read the next finer level, then resample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scangen_bundle.slides.reader import SlideReader
from scangen_bundle.slides.resolution import plan_read, resolve_mpp

CHUNK_BYTES = 32 * 2**20


class TileReader:
    """Read tiles of `tile_px` px at exactly `mpp` from an open slide.

    A tile's field of view is exactly `tile_px * mpp` µm from its top-left corner (rounded to a px of the level read),
    on both axes, also where the scanner's pixels are not square.

    Args:
        reader: an open slide.
        mpp: resolution of the tiles, µm/px.
        tile_px: side of the tiles.
        source_mpp: resolution of level 0, in place of the file's own; one number or (x, y); None or NaN for the file's.
        allow_upsampling: allow an mpp finer than level 0 by more than 5 %.

    Raises:
        InputError: the slide's resolution is not known or not plausible, or upsampling would be needed.
    """

    def __init__(
        self,
        reader: SlideReader,
        mpp: float,
        tile_px: int,
        source_mpp: float | Sequence[float] | None = None,
        allow_upsampling: bool = False,
    ) -> None:
        self.reader = reader
        resolved = resolve_mpp(reader.mpp, mpp, source_mpp, reader.path)
        self.plan = plan_read(reader.level_downsamples, resolved, mpp, tile_px, allow_upsampling, reader.path)
        width, height = self.plan.region_size
        self._chunk = max(1, CHUNK_BYTES // (width * height * 3))
        self._regions: np.ndarray | None = None

    def read(self, coords: np.ndarray) -> np.ndarray:
        """The tiles whose top-left corners are at `coords` int64 [n, 2] (level-0 px): uint8 [n, tile_px, tile_px, 3].

        Rows come back in the order of `coords`; they are read in the order of the slide's native tiles. Outside the
        slide is white.

        Raises:
            InputError: the file is damaged where it is read.
        """
        coords = np.asarray(coords, np.int64).reshape(-1, 2)
        plan = self.plan
        width, height = plan.region_size
        tiles = np.empty((len(coords), plan.tile_px, plan.tile_px, 3), np.uint8)
        if not plan.resampled:
            return self.reader.read_regions(coords, plan.read_level, width, height, out=tiles)
        if self._regions is None:  # kept, because touching fresh memory costs as much as decoding into it
            self._regions = np.empty((self._chunk, height, width, 3), np.uint8)
        order = np.lexsort((coords[:, 0], coords[:, 1]))
        for start in range(0, len(order), self._chunk):
            rows = order[start : start + self._chunk]
            regions = self._regions[: len(rows)]
            self.reader.read_regions(coords[rows], plan.read_level, width, height, out=regions)
            tiles[rows] = resample(regions, plan.extent, plan.tile_px)
        return tiles


def resample(regions: np.ndarray, extent: tuple[float, float], tile_px: int) -> np.ndarray:
    """Resample the field of view (0, 0) to `extent` (x, y; fractions of px allowed) of each region to `tile_px` px.

    The filter is a triangle as wide as two output pixels (bilinear with antialiasing, what Pillow calls BILINEAR): it
    weighs the area under each output pixel, and for a ratio near one it is plain bilinear interpolation.

    Args:
        regions: uint8 [n, h, w, 3] with h > extent[1], w > extent[0].
        extent: field of view in px of the regions.
        tile_px: side of the output.

    Returns:
        uint8 [n, tile_px, tile_px, 3]
    """
    import torch

    # torch leaves an axis alone whose size does not change, also if its scale does: one px more makes it look.
    extra = [
        (0, int(length == tile_px != field)) for length, field in zip(regions.shape[1:3], extent[::-1], strict=True)
    ]
    if any(after for _, after in extra):
        regions = np.pad(regions, ((0, 0), *extra, (0, 0)), mode="edge")
    images = torch.from_numpy(regions).permute(0, 3, 1, 2)
    # The operator behind torch.nn.functional.interpolate, which takes a size or a scale but not both: the scale keeps the
    # fractions of a px of the field of view.
    scale = (tile_px / extent[1], tile_px / extent[0])
    resampled = torch.ops.aten._upsample_bilinear2d_aa(images, (tile_px, tile_px), False, *scale)
    return resampled.permute(0, 2, 3, 1).numpy()
