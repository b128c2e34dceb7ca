"""Small made-up data for tests, of this package and of yours: a manifest with its bags, a bag, a slide, a reader.

Everything is drawn from a seed, so the same call writes the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile
from scipy.ndimage import gaussian_filter

from scangen_bundle.bags import BagAttributes, write_bag

TILE_PX, MPP, SOURCE_MPP = 224, 0.5, 0.25


def make_attributes(**changes: Any) -> BagAttributes:
    """What a bag of encoder `fake` says about itself: D = 4, tiles of 224 px at 0.5 µm/px from a slide of 0.25 µm/px.

    Args:
        changes: other values, by the names of `BagAttributes`; without an effective mpp it is `mpp`.
    """
    values: dict[str, Any] = {
        "slide_id": "a",
        "encoder": "fake",
        "revision": "1",
        "pooling": "cls",
        "dim": 4,
        "tile_px": TILE_PX,
        "mpp": MPP,
        **dict.fromkeys(("source_mpp_x", "source_mpp_y"), SOURCE_MPP),
        **dict.fromkeys(("effective_mpp_x", "effective_mpp_y"), changes.get("mpp", MPP)),
        "read_level": 0,
        "scanner": "fake scanner",
    }
    return BagAttributes(**{**values, **changes})


def make_bag_arrays(tiles: int, dim: int, dtype: str = "float16") -> tuple[np.ndarray, np.ndarray]:
    """Vectors [tiles, dim] of a normal distribution, and whole numbers [tiles, 2] from 0 to 9,999 as coordinates."""
    generator = np.random.default_rng(tiles * 1000 + dim)
    return generator.normal(size=(tiles, dim)).astype(dtype), generator.integers(0, 10_000, (tiles, 2))


def make_bag(
    path: str | os.PathLike[str],
    features: np.ndarray | None = None,
    coords: np.ndarray | None = None,
    dtype: str = "float32",
    **changes: Any,
) -> Path:
    """Write a bag.

    Args:
        path: of the file.
        features: [N, D]; None draws five vectors of D = 4.
        coords: [N, 2] level-0 px of the tiles' corners; None lays them out side by side.
        dtype: "float16" or "float32".
        changes: other values of `make_attributes`; the slide's id is the file's name unless it is given.
    """
    if features is None:
        features, _ = make_bag_arrays(5, 4)
    if coords is None:
        coords = np.arange(2 * len(features)).reshape(-1, 2) * TILE_PX
    attributes = make_attributes(**{"slide_id": Path(path).stem, "dim": features.shape[1], **changes})
    write_bag(path, features, coords, attributes, dtype=dtype)
    return Path(path)


def make_manifest(
    folder: str | os.PathLike[str], specimens: int = 6, scanners: int = 3, tiles: int = 24, dim: int = 8, seed: int = 0
) -> Path:
    """Write `manifest.csv` of a cohort with bags and no slides; the bags lie in `features/`.

    Each specimen is a patient and is scanned on each scanner. Its vectors are noise that all of its scans share, plus the
    direction of its class (0 or 1 in turn), plus a shift of the scanner. Bags differ in length by up to three tiles.

    Args:
        folder: to write to.
        specimens: number of specimens.
        scanners: number of scanners, called "scanner 0", ...
        tiles: of the longest bags.
        dim: D of the vectors.
        seed: of the draws.

    Returns:
        The manifest's path.
    """
    generator = np.random.default_rng(seed)
    shift = generator.normal(size=(scanners, dim))
    rows = []
    for specimen in range(specimens):
        label = specimen % 2
        shared = generator.normal(size=(tiles, dim)) + label * np.linspace(1, 0, dim)
        for scanner in range(scanners):
            slide_id = f"p{specimen:03d}_s{scanner}"
            count = tiles - (specimen + scanner) % 4
            make_bag(Path(folder, "features", f"{slide_id}.h5"), (shared + shift[scanner])[:count], scanner="")
            rows.append(
                {
                    "slide_id": slide_id,
                    "specimen_id": f"p{specimen:03d}",
                    "patient_id": f"p{specimen:03d}",
                    "scanner": f"scanner {scanner}",
                    "label": label,
                    "features_path": f"features/{slide_id}.h5",
                }
            )
    path = Path(folder, "manifest.csv")
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def draw_tissue(width: int = 1100, height: int = 900, seed: int = 0) -> np.ndarray:
    """Purple and pink texture with detail down to two px: uint8 [height, width, 3]."""
    noise = np.random.default_rng(seed).normal(size=(2, height, width))
    fine = gaussian_filter(noise[0], 1.5) * 1.5
    coarse = gaussian_filter(noise[1], 5.0) * 5.0
    colours = np.array([200.0, 140.0, 190.0]) + fine[..., None] * [60, 90, 45] + coarse[..., None] * [45, 70, 30]
    return np.clip(colours, 0, 255).astype(np.uint8)


def make_slide(
    path: str | os.PathLike[str],
    image: np.ndarray | None = None,
    mpp: float | tuple[float, float] | None = MPP,
    levels: int = 3,
    coding: str = "ycbcr",
    description: str | None = None,
) -> Path:
    """Write a slide: a pyramidal TIFF with tiles of 256 px.

    Args:
        path: of the file.
        image: level 0, uint8 [h, w, 3]; None draws tissue.
        mpp: resolution of level 0 in µm/px, one number or (x, y); None writes none.
        levels: how many, each half the one before.
        coding: "ycbcr" or "rgb" JPEG of quality 95, "jpeg2000" (Aperio's number) without loss, or tifffile's name of a
            compression; "lzw-2" has predictor 2.
        description: the ImageDescription of every level.
    """
    options: dict[str, Any] = {"tile": (256, 256), "photometric": "rgb", "metadata": None, "software": False}
    options |= _compression(coding)
    with tifffile.TiffWriter(path) as tiff:
        for number, level in enumerate(pyramid(draw_tissue() if image is None else image, levels)):
            if mpp is not None:
                x, y = mpp if isinstance(mpp, tuple) else (mpp, mpp)
                per_cm = 1e4 / (x * 2**number), 1e4 / (y * 2**number)
                options |= {"resolution": per_cm, "resolutionunit": "CENTIMETER"}
            reduced = int(number > 0 and description is None)
            tiff.write(level, subfiletype=reduced, description=description, **options)
    return Path(path)


def _compression(coding: str) -> dict[str, Any]:
    """tifffile's options for a coding of `make_slide`."""
    if coding == "ycbcr":  # photometric "rgb" with a subsampling: tifffile converts, and writes YCbCr
        return {"compression": "jpeg", "compressionargs": {"level": 95}, "subsampling": (2, 2)}
    if coding == "rgb":
        return {"compression": "jpeg", "compressionargs": {"level": 95, "outcolorspace": "RGB"}}
    if coding == "jpeg2000":
        return {"compression": 33005, "compressionargs": {"codecformat": "J2K"}}
    compression, _, predictor = coding.partition("-")
    return {"compression": compression, "predictor": int(predictor or 1)}


def pyramid(image: np.ndarray, levels: int) -> list[np.ndarray]:
    """The picture and its halvings (`shrink` by 2), uint8 [h, w, 3] each."""
    pictures = [image]
    while len(pictures) < levels:
        pictures.append(shrink(pictures[-1], 2))
    return pictures


def shrink(image: np.ndarray, factor: int) -> np.ndarray:
    """Means over blocks of `factor` x `factor` px; rows and columns that fill no block are dropped, as scanners do."""
    height, width = image.shape[0] // factor, image.shape[1] // factor
    blocks = image[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


class FakeReader:
    """A `slides.SlideReader` over an array; outside of it everything is white.

    Args:
        image: level 0, uint8 [h, w, 3].
        mpp: of level 0; None is not known.
        downsamples: of the levels, whole numbers.

    Attributes:
        largest_read: number of pixels of the largest region that was read at once.
    """

    backend = "fake"

    def __init__(self, image: np.ndarray, mpp: float | None = MPP, downsamples: Sequence[int] = (1,)) -> None:
        self.path = Path("fake.svs")
        self.mpp = None if mpp is None else (mpp, mpp)
        self.properties: dict[str, str] = {}
        self.levels = [shrink(image, factor) for factor in downsamples]
        self.level_dimensions = [(level.shape[1], level.shape[0]) for level in self.levels]
        self.level_downsamples = [(float(factor), float(factor)) for factor in downsamples]
        self.largest_read = 0

    def read_region(self, x: int, y: int, level: int, width: int, height: int) -> np.ndarray:
        """See `slides.SlideReader`."""
        self.largest_read = max(self.largest_read, width * height)
        source = self.levels[level]
        factor = self.level_downsamples[level][0]
        left, top = int(np.floor(x / factor + 0.5)), int(np.floor(y / factor + 0.5))
        x0, x1 = max(left, 0), min(left + width, source.shape[1])
        y0, y1 = max(top, 0), min(top + height, source.shape[0])
        region = np.full((height, width, 3), 255, np.uint8)
        if x1 > x0 and y1 > y0:
            region[y0 - top : y1 - top, x0 - left : x1 - left] = source[y0:y1, x0:x1]
        return region

    def read_regions(
        self, xy: np.ndarray, level: int, width: int, height: int, out: np.ndarray | None = None
    ) -> np.ndarray:
        """See `slides.SlideReader`."""
        regions = np.stack([self.read_region(int(x), int(y), level, width, height) for x, y in xy])
        if out is None:
            return regions
        out[:] = regions
        return out

    def close(self) -> None:
        """See `slides.SlideReader`."""

    def __enter__(self) -> FakeReader:
        return self

    def __exit__(self, *exception: object) -> None:
        pass
