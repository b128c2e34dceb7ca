"""slideflow: a .pt tensor with `<slide>.index.npz` (the tiles' centres in level-0 px) and a shared `bags_config.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from scangen_bundle.bags.bag import LEVEL0_PX_CENTRE, FeatureBag
from scangen_bundle.bags.layouts.common import imported, number, whole
from scangen_bundle.bags.reading import read_archive, read_json
from scangen_bundle.errors import InputError

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
        archive = read_archive(index)
        if "arr_0" not in archive:
            raise InputError(index, f"it has {sorted(archive)}, expected arr_0", "export the bags again")
        coords = archive["arr_0"]
    about = read_json(config) if config.is_file() else {}
    tile_px = whole(about.get("tile_px"))
    tile_um = number(about.get("tile_um"))  # or a magnification such as "20x", which is no resolution
    mpp = tile_um / tile_px if tile_px and tile_um else None
    return imported(
        path,
        TOOL,
        features,
        coords,
        LEVEL0_PX_CENTRE,
        encoder=_encoder(config, about.get("extractor")),
        dim=about.get("num_features", features.shape[1]),
        tile_px=tile_px,
        mpp=mpp,
        effective_mpp_x=mpp,
        effective_mpp_y=mpp,
    )


def _encoder(config: Path, extractor: Any) -> str | None:
    """The extractor's class without its modules, or the name that slideflow registers it by.

    Raises:
        InputError: neither is stated.
    """
    if isinstance(extractor, dict) and isinstance(stated := extractor.get("class"), str):
        return stated.rpartition(".")[-1]
    if extractor is None or isinstance(extractor, str):
        return extractor
    problem = f"its 'extractor' is {json.dumps(extractor)}, expected an object with a class, or a name"
    raise InputError(config, problem, "export the bags again")
