"""A slide and an encoder whose answers can be worked out by hand."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scangen_bundle.errors import InputError

TILE_PX = 64
GLASS = (240, 240, 240)
STAIN = (180, 90, 160)


def make_slide(path: Path, size: int = 1024, tissue: int = 512, **facts: Any) -> Path:
    """A slide file that `FakeSlide` reads: glass of `size` px with a square of `tissue` px in its upper left corner."""
    path.write_text(json.dumps({"size": size, "tissue": tissue, "mpp": 0.5, **facts}))
    return path


class FakeSlide:
    """Implements the protocol of readers; the blue channel of the tissue tells the column, so tiles differ."""

    backend = "fake"

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        try:
            self.facts = json.loads(self.path.read_text())
        except (ValueError, OSError) as error:
            raise InputError(path, f"not a slide: {error}", "copy it again") from error
        size = self.facts["size"]
        self.level_dimensions = [(size, size)]
        self.level_downsamples = [(1.0, 1.0)]
        self.mpp = None if self.facts["mpp"] is None else (self.facts["mpp"],) * 2
        self.properties = self.facts.get("properties", {}) | {"aperio.ScannerType": "AT2", "openslide.vendor": "aperio"}

    def read_region(self, x: int, y: int, level: int, width: int, height: int) -> np.ndarray:
        if self.facts.get("crash") and width == TILE_PX:
            os.kill(os.getpid(), 9)
        if self.facts.get("broken") and width == TILE_PX:
            raise InputError(self.path, "a tile is damaged", "copy it again")
        if self.facts.get("bug") and width == TILE_PX:
            raise ZeroDivisionError("a fault of the program")
        size, tissue = self.facts["size"], self.facts["tissue"]
        columns, rows = x + np.arange(width), y + np.arange(height)
        pixels = np.full((height, width, 3), 255, np.uint8)
        pixels[(rows < size)[:, None] & (columns < size)] = self.facts.get("glass", GLASS)
        inside = (rows < tissue)[:, None] & (columns < tissue)
        pixels[inside] = STAIN
        if self.facts.get("grey"):
            pixels[inside] = 120
            return pixels
        pixels[..., 2][inside] = (100 + columns // TILE_PX % 100)[None].repeat(height, 0)[inside]
        return pixels

    def read_regions(
        self, xy: np.ndarray, level: int, width: int, height: int, out: np.ndarray | None = None
    ) -> np.ndarray:
        tiles = np.stack([self.read_region(int(x), int(y), level, width, height) for x, y in xy])
        if out is not None:
            out[:] = tiles
        return tiles

    def close(self) -> None: ...

    def __enter__(self) -> FakeSlide:
        return self

    def __exit__(self, *exception: object) -> None: ...


class FakeEncoder:
    """The mean of each colour; `seconds` a batch."""

    name, revision, pooling, dim, tile_px, mpp, licence = "fake", "1", "mean", 3, TILE_PX, 0.5, "Apache-2.0"

    def __init__(self, seconds: float = 0.0, **changes: Any) -> None:
        self.seconds = seconds
        self.__dict__.update(changes)

    def encode(self, tiles: np.ndarray) -> np.ndarray:
        time.sleep(self.seconds)
        return tiles.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)


class NanEncoder(FakeEncoder):
    """NaN for tiles of the eighth column of tiles."""

    def encode(self, tiles: np.ndarray) -> np.ndarray:
        features = super().encode(tiles)
        features[features[:, 2] == 107] = np.nan
        return features


def make_manifest(folder: Path, slides: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Slide files and the manifest of them; by slide_id, options of `make_slide`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for slide_id, options in slides.items():
        options = dict(options)
        mpp = options.pop("stated", np.nan)
        path = str(make_slide(folder / f"{slide_id}.fake", **options))
        rows.append((slide_id, slide_id, slide_id, "AT2", -1, path, "", mpp, ""))
    columns = [
        "slide_id",
        "specimen_id",
        "patient_id",
        "scanner",
        "label",
        "slide_path",
        "features_path",
        "mpp",
        "split",
    ]
    return pd.DataFrame(rows, columns=columns)
