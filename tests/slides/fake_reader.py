"""A slide reader over an array: a stand-in for a file, with the pyramid that the test wants."""

from __future__ import annotations

from pathlib import Path

import numpy as np


class FakeReader:
    """Level 0 is `image` uint8 [h, w, 3]; the others are means over whole `downsamples`."""

    backend = "fake"

    def __init__(self, image: np.ndarray, mpp: float | None = 0.5, downsamples: tuple[int, ...] = (1,)) -> None:
        self.path = Path("fake.svs")
        self.mpp = None if mpp is None else (mpp, mpp)
        self.properties: dict[str, str] = {}
        self.levels = [shrink(image, factor) for factor in downsamples]
        self.level_dimensions = [(level.shape[1], level.shape[0]) for level in self.levels]
        self.level_downsamples = [(float(factor), float(factor)) for factor in downsamples]
        self.largest_read = 0

    def read_region(self, x: int, y: int, level: int, width: int, height: int) -> np.ndarray:
        self.largest_read = max(self.largest_read, width * height)
        source = self.levels[level]
        left, top = (int(np.floor(v / self.level_downsamples[level][0] + 0.5)) for v in (x, y))
        region = np.full((height, width, 3), 255, np.uint8)
        x0, y0, x1, y1 = (
            max(left, 0),
            max(top, 0),
            min(left + width, source.shape[1]),
            min(top + height, source.shape[0]),
        )
        if x1 > x0 and y1 > y0:
            region[y0 - top : y1 - top, x0 - left : x1 - left] = source[y0:y1, x0:x1]
        return region

    def read_regions(
        self, xy: np.ndarray, level: int, width: int, height: int, out: np.ndarray | None = None
    ) -> np.ndarray:
        regions = np.stack([self.read_region(int(x), int(y), level, width, height) for x, y in xy])
        if out is None:
            return regions
        out[:] = regions
        return out

    def close(self) -> None: ...

    def __enter__(self) -> FakeReader:
        return self

    def __exit__(self, *exception: object) -> None: ...


def shrink(image: np.ndarray, factor: int) -> np.ndarray:
    height, width = image.shape[0] // factor * factor, image.shape[1] // factor * factor
    blocks = image[:height, :width].reshape(height // factor, factor, width // factor, factor, 3)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)
