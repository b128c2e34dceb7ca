"""Tissue masks that the user gives: a picture of the whole slide, or outlines drawn in QuPath."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.slides.tissue import TissueMask

PICTURES = (".png",)
OUTLINES = (".geojson", ".json")


def load_mask(
    path: str | os.PathLike[str],
    slide_size: tuple[int, int],
    source_mpp: tuple[float, float],
    *,
    mask_mpp: float = 8.0,
) -> TissueMask:
    """Read a mask that the user made of a slide.

    - PNG: a picture of the whole slide at any size; a pixel that is not black (and not transparent) is tissue.
    - GeoJSON: polygons and multipolygons in level-0 px with their holes, as QuPath exports them (a FeatureCollection, a
      list of features, one feature or one geometry). The tissue is the union of all; a px of `mask_mpp` is tissue if
      its centre is inside. Points and lines in the file are no areas and are left out.

    Args:
        path: the file, .png, .geojson or .json.
        slide_size: (w, h) of level 0.
        source_mpp: resolution (x, y) of level 0, µm/px.
        mask_mpp: size of a mask px for outlines, µm; not finer than level 0.

    Raises:
        InputError: no such file, another kind of file, a damaged one, a picture that has not the slide's shape, or no
            outline in it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "there is no such mask file", "check the path of the mask")
    kind = path.suffix.lower()
    if kind in PICTURES:
        return _from_picture(path, slide_size, source_mpp)
    if kind in OUTLINES:
        return _from_outlines(path, slide_size, source_mpp, mask_mpp)
    raise InputError(path, f"a mask file of kind {kind or 'no suffix'}", "give a .png or a .geojson file")


def _from_picture(path: Path, slide_size: tuple[int, int], source_mpp: tuple[float, float]) -> TissueMask:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGBA") if picture.mode in ("P", "PA", "LA", "RGBA") else picture)
    except Image.DecompressionBombError as error:
        raise InputError(
            path, f"the mask is too big: {error}", "export it smaller; a mask may have any size"
        ) from error
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise InputError(path, f"the mask cannot be read as a picture: {error}", "export it again as PNG") from error
    mask = pixels != 0
    if pixels.ndim == 3:
        mask = mask[..., :3].any(axis=-1) & (mask[..., 3] if pixels.shape[-1] == 4 else True)
    height, width = mask.shape
    scale = slide_size[0] / width, slide_size[1] / height
    # Half a px of rounding on each side of either is no other shape.
    if abs(scale[0] / scale[1] - 1) > 0.01 + 1 / width + 1 / height:
        raise InputError(
            path,
            f"the mask is {width} x {height} px, the slide {slide_size[0]} x {slide_size[1]} px: another shape",
            "give a mask of the whole slide, not of a part, and not turned",
        )
    return TissueMask(mask, (scale[0] * source_mpp[0], scale[1] * source_mpp[1]), scale)


def _from_outlines(
    path: Path, slide_size: tuple[int, int], source_mpp: tuple[float, float], mask_mpp: float
) -> TissueMask:
    from skimage.draw import polygon

    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))  # Windows puts a mark in front
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(path, f"the mask is no valid JSON: {error}", "export it again as GeoJSON") from error
    mpp = max(mask_mpp, source_mpp[0]), max(mask_mpp, source_mpp[1])
    scale = mpp[0] / source_mpp[0], mpp[1] / source_mpp[1]
    width, height = (math.ceil(size / s - 1e-6) for size, s in zip(slide_size, scale, strict=True))
    mask = np.zeros((height, width), bool)
    found = outside = 0
    for rings in _polygons(document, path):
        inside = np.zeros_like(mask)
        for ring in rings:  # the first is the border, the others are holes: a px inside two rings is outside
            x, y = (ring / scale - 0.5).T  # px centres are at whole numbers
            at = polygon(y, x, mask.shape)
            inside[at] ^= True
        found += 1
        outside += bool((rings[0].max(axis=0) < 0).any() or (rings[0].min(axis=0) > slide_size).any())
        mask |= inside
    if not found:
        raise InputError(path, "there is no polygon in the mask file", "draw areas, not points or lines, and export")
    if outside == found:
        raise InputError(
            path,
            f"all {found} outlines lie outside the slide of {slide_size[0]} x {slide_size[1]} px",
            "export the outlines of this slide, in px of its full resolution",
        )
    return TissueMask(mask, mpp, scale)


def _polygons(document: Any, path: Path) -> Iterator[list[np.ndarray]]:
    """The polygons anywhere in a GeoJSON document, each a list of rings float64 [n, 2], the outer one first."""
    if isinstance(document, list):
        for part in document:
            yield from _polygons(part, path)
        return
    if not isinstance(document, dict) or "type" not in document:
        raise InputError(path, "the mask is JSON, but no GeoJSON (an object without type)", "export it as GeoJSON")
    kind = document["type"]
    if kind == "FeatureCollection":
        yield from _polygons(document.get("features", []), path)
    elif kind == "Feature":
        if document.get("geometry") is not None and not _is_ignored(document):
            yield from _polygons(document["geometry"], path)
    elif kind == "GeometryCollection":
        yield from _polygons(document.get("geometries", []), path)
    elif kind in ("Polygon", "MultiPolygon"):
        try:
            coordinates = document["coordinates"]
            for rings in [coordinates] if kind == "Polygon" else coordinates:
                if rings:  # GeoJSON lets a polygon be empty (RFC 7946, 3.1)
                    yield [_ring(ring) for ring in rings]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(path, f"a {kind} in the mask is malformed: {error}", "export it again") from error


def _is_ignored(feature: dict[str, Any]) -> bool:
    """Whether QuPath's class of an outline ends in `*`, as `Ignore*` does: it leaves these out of every area."""
    properties = feature.get("properties")
    stated = properties.get("classification") if isinstance(properties, dict) else None
    name = stated.get("name") if isinstance(stated, dict) else stated
    return isinstance(name, str) and name.endswith("*")


def _ring(points: Any) -> np.ndarray:
    ring = np.array([point[:2] for point in points], np.float64)
    if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 3 or not np.isfinite(ring).all():
        raise ValueError(f"a ring of {len(ring)} points, expected at least 3 pairs of finite numbers")
    return ring
