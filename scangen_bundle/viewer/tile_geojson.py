"""The tiles of a scan as GeoJSON for QuPath, with everything that is known of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from scangen_bundle.report.geojson import attention_geojson
from scangen_bundle.viewer.overlays import TileValues


def tiles_geojson(slide_id: str, tiles: TileValues, spread: np.ndarray | None) -> dict[str, Any]:
    """`report.geojson.attention_geojson` with the tile's own probability and its spread over scanners as measurements.

    Args:
        slide_id: makes the objects' ids.
        tiles: of the scan.
        spread: [n] over scanners, None where it is not defined; a tile without a spread has no such measurement.
    """
    attention = tiles.attention
    if attention is None:
        attention = np.full(len(tiles.corners), 1 / max(len(tiles.corners), 1))
    collection = attention_geojson(slide_id, tiles.corners, attention, tiles.side)
    for number, feature in enumerate(collection["features"]):
        measurements = feature["properties"]["measurements"]
        if tiles.probability is not None:
            for column, probability in enumerate(tiles.probability[number].tolist()):
                measurements[f"probability of class {column}"] = round(probability, 6)
        if spread is not None and np.isfinite(spread[number]):
            measurements["spread over scanners"] = round(float(spread[number]), 6)
    return collection
