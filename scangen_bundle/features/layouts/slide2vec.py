"""slide2vec: a .pt tensor or .npz, with `<id>.meta.json` beside it; coordinates in hs2p's `<id>.coordinates.npz`.

hs2p reads an exact resolution to within 5 %: inside that tolerance tiles stay as they were read, so that their real
resolution is the slide's own spacing times the tile's field of view in level-0 px, over its px.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.features.bag import FeatureBag
from scangen_bundle.features.layouts.common import imported, number, read_json

TOOL = "slide2vec"
META, COORDINATES = ".meta.json", ".coordinates.npz"


def read_tensor(path: Path, features: np.ndarray) -> FeatureBag | None:
    """The bag of a .pt file, or None if no slide2vec description lies beside it.

    Raises:
        InputError: the description and the file contradict each other.
    """
    meta = _meta(path)
    return None if meta is None else _bag(path, features, meta, None)


def read_archive(path: Path) -> FeatureBag:
    """The bag of a .npz file.

    Raises:
        InputError: not such a file, or its parts contradict each other.
    """
    with np.load(path, allow_pickle=False) as archive:
        if "features" not in archive:
            problem = f"a .npz file with {sorted(archive)}, expected slide2vec's features"
            raise InputError(path, problem, "give the slide's feature file, not its coordinates")
        features = archive["features"]
        tile_index = archive.get("tile_index")
    return _bag(path, features, _meta(path) or {}, tile_index)


def _meta(path: Path) -> dict[str, Any] | None:
    file = path.with_name(path.stem + META)
    if not file.is_file():
        return None
    meta = read_json(file)
    return meta if "artifact_type" in meta or "encoder_name" in meta else None


def _bag(path: Path, features: np.ndarray, meta: dict[str, Any], tile_index: np.ndarray | None) -> FeatureBag:
    level = meta.get("encoder_level", "tile")
    if level != "tile":
        raise InputError(path, f"it holds features of a {level}, expected of tiles", "give slide2vec's tile embeddings")
    coords, slide = None, {}
    file = _coordinates_file(path, meta)
    if file is not None:
        coords = _coordinates(file, tile_index)
        about = file.with_name(file.name.removesuffix(COORDINATES) + META)
        slide = read_json(about) if about.is_file() else {}
    source = number(slide.get("slide", {}).get("base_spacing_um"))
    requested = number(meta.get("requested_spacing_um"))
    tile_px = number(meta.get("requested_tile_size_px"))
    tile_level0 = number(meta.get("tile_size_lv0")) or number(slide.get("tiling", {}).get("tile_size_lv0"))
    downsample = tile_level0 / tile_px if tile_level0 and tile_px else None
    effective = source * downsample if source and downsample else None
    return imported(
        path,
        TOOL,
        features,
        coords,
        encoder=meta.get("encoder_name"),
        dim=meta.get("feature_dim", features.shape[-1]),
        tile_px=None if tile_px is None else int(tile_px),
        mpp=requested,
        source_mpp_x=source,
        source_mpp_y=source,
        effective_mpp_x=effective,
        effective_mpp_y=effective,
        downsample=downsample,
    )


def _coordinates_file(path: Path, meta: dict[str, Any]) -> Path | None:
    """hs2p's file of this slide: where the description says, or `tiles/` beside or above the embeddings."""
    name = f"{path.stem}{COORDINATES}"
    stated = meta.get("coordinates_npz_path")
    places = [Path(stated)] if stated else []
    for folder in list(path.parents)[:4]:  # tile_embeddings/[<class>/]<id>.pt and tiles/[<class>/]<id>...
        places += [folder / name, folder / "tiles" / name, folder / "tiles" / path.parent.name / name]
    return next((place for place in places if place.is_file()), None)


def _coordinates(file: Path, tile_index: np.ndarray | None) -> np.ndarray:
    with np.load(file, allow_pickle=False) as archive:
        coords = np.stack([archive["x"], archive["y"]], axis=1)
        if tile_index is None:
            return coords
        place = {int(tile): row for row, tile in enumerate(archive["tile_index"])}
    try:
        return coords[[place[int(tile)] for tile in tile_index]]
    except KeyError as error:
        raise InputError(file, f"it has no coordinates of tile {error}", "extract the features again") from error
