"""Small tiled slides for the tests, with the picture that they were made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from scipy.ndimage import gaussian_filter


def picture(width: int = 1100, height: int = 900, seed: int = 0) -> np.ndarray:
    """Purple and pink texture with detail down to two px: uint8 [height, width, 3]."""
    noise = np.random.default_rng(seed).normal(size=(2, height, width))
    fine, coarse = (gaussian_filter(layer, sigma) * sigma for layer, sigma in zip(noise, (1.5, 5.0), strict=True))
    colours = np.array([200.0, 140.0, 190.0]) + fine[..., None] * [60, 90, 45] + coarse[..., None] * [45, 70, 30]
    return np.clip(colours, 0, 255).astype(np.uint8)


def halve(image: np.ndarray) -> np.ndarray:
    """2 x 2 means; an odd last row or column is dropped, as scanners do."""
    height, width = image.shape[0] // 2, image.shape[1] // 2
    blocks = image[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return np.rint(blocks.mean((1, 3))).astype(np.uint8)


def levels_of(image: np.ndarray, count: int) -> list[np.ndarray]:
    levels = [image]
    while len(levels) < count:
        levels.append(halve(levels[-1]))
    return levels


def write_slide(
    path: Path,
    image: np.ndarray,
    mpp: float | tuple[float, float] | None = 0.5,
    levels: int = 3,
    coding: str = "ycbcr",
    description: str | None = None,
) -> Path:
    """Write a pyramid of 256 px tiles.

    Args:
        path: where to.
        image: level 0.
        mpp: resolution, one number or (x, y); None writes no resolution.
        levels: how many, each half the one before.
        coding: "ycbcr" or "rgb" JPEG of quality 95, "jpeg2000" (Aperio's number) without loss, or tifffile's name of a
            compression; "lzw-2" has predictor 2.
        description: the ImageDescription of every level.
    """
    options: dict[str, Any] = {"tile": (256, 256), "photometric": "rgb", "metadata": None, "software": False}
    if coding == "ycbcr":  # photometric "rgb" with a subsampling: tifffile converts, and writes YCbCr
        options |= {"compression": "jpeg", "compressionargs": {"level": 95}, "subsampling": (2, 2)}
    elif coding == "rgb":
        options |= {"compression": "jpeg", "compressionargs": {"level": 95, "outcolorspace": "RGB"}}
    elif coding == "jpeg2000":
        options |= {"compression": 33005, "compressionargs": {"codecformat": "J2K"}}
    else:
        compression, _, predictor = coding.partition("-")
        options |= {"compression": compression, "predictor": int(predictor or 1)}
    with tifffile.TiffWriter(path) as tiff:
        for number, level in enumerate(levels_of(image, levels)):
            if mpp is not None:
                x, y = mpp if isinstance(mpp, tuple) else (mpp, mpp)
                options |= {
                    "resolution": (1e4 / (x * 2**number), 1e4 / (y * 2**number)),
                    "resolutionunit": "CENTIMETER",
                }
            reduced = int(number > 0 and description is None)
            tiff.write(level, subfiletype=reduced, description=description, **options)
    return path


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
