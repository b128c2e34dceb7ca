"""Attention and own probability of every tile of a scan: from an inference's files, or from the run's network."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scangen_bundle.bags import FeatureBag, open_bag
from scangen_bundle.errors import InputError
from scangen_bundle.slides.open import open_slide
from scangen_bundle.viewer.overlays import TileValues
from scangen_bundle.viewer.scan_files import ScanFile, level0_mpp


class KnownTiles(NamedTuple):
    """What is known of a scan's tiles; `reason` says why nothing is."""

    tiles: TileValues | None
    reason: str = ""


def read_tile_values(
    file: ScanFile, slide_id: str, scanner: str, checkpoint: Path | None, attention: Path | None
) -> KnownTiles:
    """What is known of a scan's tiles, or why nothing is.

    The network says most: attention, and the probability of each tile alone. Where it cannot be used, the attention map
    that an inference wrote is taken.

    Args:
        file: the scan's files.
        slide_id: names its attention map.
        scanner: of the scan.
        checkpoint: the run's network.
        attention: folder of `<slide_id>.geojson`.
    """
    reasons = []
    if checkpoint is not None and file.features_path:
        try:
            return KnownTiles(_from_network(file, scanner, checkpoint))
        except InputError as error:
            reasons.append(error.problem)
    path = None if attention is None else attention / f"{slide_id}.geojson"
    if path is not None and path.is_file():
        try:
            return KnownTiles(read_attention_map(path))
        except InputError as error:
            reasons.append(error.problem)
    return KnownTiles(None, "; ".join(reasons) or "it has no feature bag and no attention map")


def read_attention_map(path: Path) -> TileValues:
    """The tiles of an attention map that `report.geojson` wrote.

    Raises:
        InputError: the file is no such map.
    """
    try:
        features = json.loads(path.read_text("utf-8"))["features"]
        rings = np.array([feature["geometry"]["coordinates"][0] for feature in features], dtype=np.float64)
        attention = np.array([feature["properties"]["measurements"]["attention"] for feature in features])
        corners, side = rings[:, 0], rings[0, 2] - rings[0, 0]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(path, f"this is no attention map ({error})", "run inferring again") from error
    return TileValues(corners, (float(side[0]), float(side[1])), attention)


def _from_network(file: ScanFile, scanner: str, checkpoint: Path) -> TileValues:
    bag = open_bag(file.features_path)
    tiles = _place_tiles(bag, file)
    network = _load_network(checkpoint)
    attention, probability = network(bag.rows(), scanner)
    return replace(tiles, attention=attention, probability=probability)


@lru_cache(maxsize=1)
def _load_network(checkpoint: Path) -> Any:
    from scangen_bundle.viewer.network import load_network  # torch takes seconds

    return load_network(checkpoint)


def _place_tiles(bag: FeatureBag, file: ScanFile) -> TileValues:
    """Where the bag's tiles are.

    Raises:
        InputError: the bag does not tell the size of its tiles, or has no tile.
    """
    mpp = bag.source_mpp or _slide_mpp(file)
    side = bag.tile_size_level0(mpp)
    if side is None:
        raise InputError(bag.path, "the bag does not tell the size of its tiles", "state the slide's mpp")
    if not len(bag):
        raise InputError(bag.path, "the bag has no tile", "look at the slide")
    return TileValues(bag.coords_level0(mpp), side)


def _slide_mpp(file: ScanFile) -> tuple[float, float] | None:
    if not file.slide_path:
        return None
    with open_slide(file.slide_path) as reader:
        return level0_mpp(reader, file)
