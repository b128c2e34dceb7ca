"""A picture in memory as a slide of one level."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from scangen_bundle.slides.reader import SlideReader


class PictureReader:
    """A picture uint8 [h, w, 3] as a `SlideReader`, so that its tiles, too, are read at an exact mpp."""

    backend = "picture"

    def __init__(self, path: str | os.PathLike[str], pixels: np.ndarray) -> None:
        self.mpp: tuple[float, float] | None = None  # a picture does not tell it
        self.path, self.pixels = Path(path), pixels
        self.level_dimensions = [(pixels.shape[1], pixels.shape[0])]
        self.level_downsamples = [(1.0, 1.0)]
        self.properties: dict[str, str] = {}

    def read_region(self, x: int, y: int, level: int, width: int, height: int) -> np.ndarray:
        return self.read_regions(np.array([[x, y]]), level, width, height)[0]

    def read_regions(
        self, xy: np.ndarray, level: int, width: int, height: int, out: np.ndarray | None = None
    ) -> np.ndarray:
        if out is None:
            out = np.empty((len(xy), height, width, 3), np.uint8)
        out[:] = 255
        for region, (x, y) in zip(out, xy, strict=True):
            part = self.pixels[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
            region[max(-y, 0) :, max(-x, 0) :][: part.shape[0], : part.shape[1]] = part
        return out

    def close(self) -> None:
        pass

    def __enter__(self) -> SlideReader:
        return self

    def __exit__(self, *exception: object) -> None:
        pass
