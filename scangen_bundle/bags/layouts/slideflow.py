"""slideflow: a .pt tensor, `<slide>.index.npz` or `.npy` (tile centres in level-0 px), and a shared `bags_config.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from scangen_bundle.bags.bag import LEVEL0_PX_CENTRE, FeatureBag
from scangen_bundle.bags.layouts.common import imported, number, whole
from scangen_bundle.bags.reading import read_archive, read_json, reading
from scangen_bundle.errors import InputError

TOOL = "slideflow"


def read(path: Path, features: np.ndarray) -> FeatureBag | None:
    """The bag, or None if neither an index nor a description of slideflow lies beside the file.

    Raises:
        InputError: the files contradict each other.
    """
    coords, config = _coords(path), path.with_name("bags_config.json")
    if coords is None and not config.is_file():
        return None
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
        encoder=_encoder(config, about),
        dim=about.get("num_features", features.shape[1]),
        tile_px=tile_px,
        mpp=mpp,
        effective_mpp_x=mpp,
        effective_mpp_y=mpp,
    )


def _coords(path: Path) -> np.ndarray | None:
    """The tiles' centres [N, 2]; None where there is no index."""
    archive = path.with_name(f"{path.stem}.index.npz")
    if archive.is_file():
        arrays = read_archive(archive)
        if "arr_0" not in arrays:
            raise InputError(archive, f"it has {sorted(arrays)}, expected arr_0", "export the bags again")
        return arrays["arr_0"]
    index = path.with_name(f"{path.stem}.index.npy")
    if not index.is_file():
        return None
    with reading(index):
        return np.array(np.load(index, mmap_mode="r", allow_pickle=False))  # a map is never larger than its file


def _encoder(config: Path, about: dict[str, Any]) -> str | None:
    """The extractor's class without its modules, or the name that slideflow registers it by.

    One class stands for many networks of ImageNet, which `model_name` tells apart. Tiles whose stain was normalised give
    other vectors: the normaliser is part of the name.

    Raises:
        InputError: neither is stated.
    """
    extractor = about.get("extractor")
    if extractor is None:
        return None
    name, options = extractor, None
    if isinstance(extractor, dict):
        name, options = extractor.get("class"), extractor.get("kwargs")
    if not isinstance(name, str):
        problem = f"its 'extractor' is {json.dumps(extractor)}, expected an object with a class, or a name"
        raise InputError(config, problem, "export the bags again")
    name = name.rpartition(".")[-1] if isinstance(extractor, dict) else name
    network = options.get("model_name") if isinstance(options, dict) else None
    normaliser = about.get("normalizer")
    method = normaliser.get("method", normaliser) if isinstance(normaliser, dict) else normaliser
    return "+".join(str(item) for item in (network or name, method) if item)
