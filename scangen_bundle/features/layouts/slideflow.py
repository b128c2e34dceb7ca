"""slideflow: a .pt tensor with `<slide>.index.npz` (the tiles' centres in level-0 px) and a shared `bags_config.json`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.features.bag import LEVEL0_PX_CENTRE, FeatureBag
from scangen_bundle.features.layouts.common import imported, number, read_json

TOOL = "slideflow"


def read(path: Path, features: np.ndarray) -> FeatureBag | None:
    """The bag, or None if neither an index nor a description of slideflow lies beside the file.

    Raises:
        InputError: the files contradict each other.
    """
    index, config = path.with_name(f"{path.stem}.index.npz"), path.with_name("bags_config.json")
    if not (index.is_file() or config.is_file()):
        return None
    coords = None
    if index.is_file():
        with np.load(index, allow_pickle=False) as archive:
            if "arr_0" not in archive:
                raise InputError(index, f"it has {sorted(archive)}, expected arr_0", "export the bags again")
            coords = archive["arr_0"]
    about = read_json(config) if config.is_file() else {}
    extractor = (about.get("extractor") or {}).get("class")
    tile_px = number(about.get("tile_px"))
    tile_um = number(about.get("tile_um"))  # or a magnification such as "20x", which is no resolution
    mpp = tile_um / tile_px if tile_px and tile_um else None
    return imported(
        path,
        TOOL,
        features,
        coords,
        LEVEL0_PX_CENTRE,
        encoder=None if extractor is None else str(extractor).rpartition(".")[-1],
        dim=about.get("num_features", features.shape[1]),
        tile_px=None if tile_px is None else int(tile_px),
        mpp=mpp,
        effective_mpp_x=mpp,
        effective_mpp_y=mpp,
    )
