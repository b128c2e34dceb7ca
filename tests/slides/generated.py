"""What scanners and converters write besides the picture; the slides themselves are `scangen_bundle.testing`'s."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile


def leave_out_tiles(path: Path, level: int, tiles: list[int]) -> Path:
    """Make a slide say that it has not these tiles of a level: 0 bytes at 0, as TIFF writes it."""
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for name in ("TileOffsets", "TileByteCounts"):
            tag = tiff.pages[level].aspage().tags[name]
            tag.overwrite([0 if tile in tiles else value for tile, value in enumerate(tag.value)])
    return path


def aperio_description(image: np.ndarray, mpp: float | str | None, scanner: str = "ScanScope ID = CPAPERIOCS") -> str:
    """What an Aperio scanner writes; without `mpp` as if it had been stripped. A text is written as it is."""
    height, width = image.shape[:2]
    resolution = "" if mpp is None else f"|MPP = {mpp if isinstance(mpp, str) else format(mpp, '.4f')}"
    return (
        f"Aperio Image Library v12.0.15 \r\n{width}x{height} [0,0 {width}x{height}] (256x256) JPEG/RGB Q=95|AppMag = 20"
        f"|{scanner}{resolution}"
    )
