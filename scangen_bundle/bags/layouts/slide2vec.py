"""slide2vec: a .pt tensor or .npz, with `<id>.meta.json` beside it; coordinates in hs2p's `<id>.coordinates.npz`, which
has a `<id>.coordinates.meta.json` of its own.

hs2p reads an exact resolution to within 5 %: inside that tolerance tiles stay as they were read, so that their real
resolution is the slide's own spacing times the tile's field of view in level-0 px, over its px.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scangen_bundle.bags.bag import FeatureBag
from scangen_bundle.bags.layouts.common import feature_shape, imported, number, whole
from scangen_bundle.bags.reading import read_archive, read_json, reading, section
from scangen_bundle.errors import InputError

TOOL = "slide2vec"
META, COORDINATES, COORDINATES_META = ".meta.json", ".coordinates.npz", ".coordinates.meta.json"
TILES, LATENTS = "tile_embeddings", "slide_latents"  # names of its folders


def read_tensor(path: Path, features: np.ndarray) -> FeatureBag | None:
    """The bag of a .pt file, or None if no slide2vec description lies beside it.

    Raises:
        InputError: the description and the file contradict each other, or it is not of tiles.
    """
    if path.parent.name == LATENTS:
        raise InputError(path, f"it holds {LATENTS}, expected {TILES}", "give slide2vec's tile embeddings")
    meta = _meta(path)
    return None if meta is None else _bag(path, features, meta, None)


def read_npz(path: Path) -> FeatureBag:
    """The bag of a .npz file.

    Raises:
        InputError: not such a file, or its parts contradict each other.
    """
    archive = read_archive(path)
    if "features" not in archive:
        problem = f"a .npz file with {sorted(archive)}, expected slide2vec's features"
        raise InputError(path, problem, "give the slide's feature file, not its coordinates")
    features = archive["features"].reshape(feature_shape(path, archive["features"].shape))
    return _bag(path, features, _meta(path) or {}, archive.get("tile_index"))


def _meta(path: Path) -> dict[str, Any] | None:
    file = path.with_name(path.stem + META)
    if not file.is_file():
        return None
    meta = read_json(file)
    return meta if "artifact_type" in meta or "encoder_name" in meta else None


def _bag(path: Path, features: np.ndarray, meta: dict[str, Any], tile_index: np.ndarray | None) -> FeatureBag:
    # Its `encoder_level` does not tell: tiles that an encoder of slides went through have "slide" there.
    kind = meta.get("artifact_type", TILES)
    if kind != TILES:
        raise InputError(path, f"it holds {kind}, expected {TILES}", "give slide2vec's tile embeddings")
    file = _hs2p(path, [meta.get("coordinates_npz_path")], COORDINATES)
    coords = None if file is None else _coordinates(file, tile_index)
    slide, tiling = _geometry(path, meta, file)

    def stated(name: str) -> float | None:
        """Earlier versions left some of the numbers to hs2p's file."""
        return number(meta.get(name)) or number(tiling.get(name))

    source = number(slide.get("base_spacing_um"))
    tile_px, tile_level0 = stated("requested_tile_size_px"), stated("tile_size_lv0")
    downsample = tile_level0 / tile_px if tile_level0 and tile_px else None
    effective = source * downsample if source and downsample else None
    return imported(
        path,
        TOOL,
        features,
        coords,
        encoder=meta.get("encoder_name"),
        dim=meta.get("feature_dim", features.shape[1]),
        tile_px=whole(tile_px),
        mpp=stated("requested_spacing_um"),
        source_mpp_x=source,
        source_mpp_y=source,
        effective_mpp_x=effective,
        effective_mpp_y=effective,
        downsample=downsample,
    )


def _hs2p(path: Path, stated: list[str | Path | None], ending: str) -> Path | None:
    """hs2p's file of this slide: at a stated place, or in `tiles/` beside or above the embeddings."""
    name = f"{path.stem}{ending}"
    places = [Path(str(place)) for place in stated if place]
    for folder in list(path.parents)[:4]:  # tile_embeddings/[<class>/]<id>.pt and tiles/[<class>/]<id>...
        places += [folder / name, folder / "tiles" / name, folder / "tiles" / path.parent.name / name]
    return next((place for place in places if place.is_file()), None)


def _geometry(path: Path, meta: dict[str, Any], coordinates: Path | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """What hs2p says of the slide and of its tiling; empty where its description is not there.

    Raises:
        InputError: the description is damaged.
    """
    beside = coordinates and coordinates.with_name(coordinates.name.removesuffix(COORDINATES) + COORDINATES_META)
    file = _hs2p(path, [meta.get("coordinates_meta_path"), beside], COORDINATES_META)
    if file is None:
        return {}, {}
    about = read_json(file)
    return section(file, about, "slide"), section(file, about, "tiling")


def _coordinates(file: Path, tile_index: np.ndarray | None) -> np.ndarray:
    """Coordinates [N, 2] in the order of the features, which `tile_index` [N] tells if they have one.

    Raises:
        InputError: the file is damaged, or has no coordinates of one of the tiles.
    """
    archive = read_archive(file)
    with reading(file):
        coords = np.stack([archive["x"], archive["y"]], axis=1)
        if tile_index is None:
            return coords
        place = {int(tile): row for row, tile in enumerate(archive["tile_index"].ravel())}
    try:
        return coords[[place[int(tile)] for tile in tile_index.ravel()]]
    except KeyError as error:
        raise InputError(file, f"it has no coordinates of tile {error}", "extract the features again") from error
