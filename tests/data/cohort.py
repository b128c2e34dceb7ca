"""A small cohort of bags without pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from scangen_bundle.bags import BagAttributes, write_bag
from scangen_bundle.cohort import load_manifest

FEATURES = 8


def write_cohort_bag(path, slide_id, features, coords=None, dtype="float32", **attributes):
    """A bag of these vectors [n, D] under `path`."""
    if coords is None:
        coords = np.arange(2 * len(features)).reshape(-1, 2) * 224
    known = {
        "slide_id": slide_id,
        "encoder": "fake",
        "revision": "1",
        "pooling": "cls",
        "dim": features.shape[1],
        "tile_px": 224,
        "mpp": 0.5,
        "source_mpp_x": 0.25,
        "source_mpp_y": 0.25,
        "effective_mpp_x": 0.5,
        "effective_mpp_y": 0.5,
        "read_level": 0,
    }
    write_bag(path, features, coords, BagAttributes(**{**known, **attributes}), dtype=dtype)


def write_cohort(folder: Path, specimens: int, scanners: int = 3, tiles: int = 24, seed: int = 0) -> Path:
    """`specimens` patients of two classes on `scanners` scanners: a class direction, a scanner shift, noise.

    Returns the manifest's path; the bags lie in `<folder>/features`.
    """
    rng = np.random.default_rng(seed)
    shift = rng.normal(size=(scanners, FEATURES))
    rows = []
    for specimen in range(specimens):
        own = rng.normal(size=(tiles, FEATURES)) + specimen % 2 * np.linspace(1, 0, FEATURES)
        for scanner in range(scanners):
            slide_id = f"p{specimen:03d}_s{scanner}"
            count = tiles - (specimen + scanner) % 4  # bags differ in length
            write_cohort_bag(folder / "features" / f"{slide_id}.h5", slide_id, (own + shift[scanner])[:count])
            rows.append(
                {
                    "slide_id": slide_id,
                    "specimen_id": f"p{specimen:03d}",
                    "patient_id": f"p{specimen:03d}",
                    "scanner": f"scanner {scanner}",
                    "label": specimen % 2,
                    "features_path": f"features/{slide_id}.h5",
                }
            )
    pd.DataFrame(rows).to_csv(folder / "manifest.csv", index=False)
    return folder / "manifest.csv"


def read_cohort(path: Path) -> pd.DataFrame:
    return load_manifest(path, classes=2)
