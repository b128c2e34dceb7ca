"""Attention as GeoJSON that QuPath opens: one tile object per tile, in level-0 px."""

from __future__ import annotations

import json
import os
import uuid

import numpy as np

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.files import write_atomically

NAMESPACE = uuid.UUID("5d9ba7a4-3a5f-4b8e-9b0e-6d2f6c1b7a10")


def attention_geojson(
    slide_id: str, coords: np.ndarray, attention: np.ndarray, tile_level0: tuple[float, float]
) -> dict:
    """A FeatureCollection of squares with their attention as measurements and as a colour.

    QuPath (0.4 or newer) reads `objectType`, `color` and `measurements` from a feature's properties, and takes coordinates as
    px of the full-resolution image; File > Import objects, or drag the file onto the open slide. Measure > Show measurement
    maps then colours by any of the measurements.

    Args:
        slide_id: makes the objects' ids, so that a second import gives the same ones.
        coords: [N, 2] level-0 px of the tiles' top-left corners (x, y).
        attention: [N] weights that sum to 1.
        tile_level0: width and height of a tile in level-0 px.
    """
    from matplotlib import colormaps

    if len(coords) != len(attention):
        raise ValueError(f"expected one weight per tile, got {len(coords)} tiles and {len(attention)} weights")
    relative = np.asarray(attention, dtype=np.float64) * len(coords)
    top = max(1.0, float(np.percentile(relative, 99))) if len(relative) else 1.0
    colours = (colormaps["viridis"](np.clip(relative / top, 0, 1))[:, :3] * 255).round().astype(int)
    rank = np.empty(len(relative), dtype=np.int64)
    rank[np.argsort(-relative, kind="stable")] = np.arange(1, len(relative) + 1)
    features = []
    for i, (x, y) in enumerate(np.asarray(coords).tolist()):
        right, bottom = round(x + tile_level0[0], 2), round(y + tile_level0[1], 2)
        features.append(
            {
                "type": "Feature",
                "id": str(uuid.uuid5(NAMESPACE, f"{slide_id}/{x}/{y}")),
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[x, y], [right, y], [right, bottom], [x, bottom], [x, y]]],
                },
                "properties": {
                    "objectType": "tile",
                    "color": colours[i].tolist(),
                    "measurements": {
                        "attention": float(attention[i]),
                        "attention relative to mean": round(float(relative[i]), 6),
                        "attention rank": int(rank[i]),
                    },
                },
            }
        )
    return {"type": "FeatureCollection", "features": features, "note": RESEARCH_USE_ONLY}


def write_geojson(
    path: str | os.PathLike[str],
    slide_id: str,
    coords: np.ndarray,
    attention: np.ndarray,
    tile_level0: tuple[float, float],
) -> None:
    """Write `attention_geojson` to a file."""
    with write_atomically(path) as temporary:
        temporary.write_text(
            json.dumps(attention_geojson(slide_id, coords, attention, tile_level0), separators=(",", ":"))
        )
