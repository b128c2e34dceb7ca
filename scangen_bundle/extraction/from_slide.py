"""What another tool's feature file does not tell, completed from the slide that it was made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from scangen_bundle.bags.bag import NO_COORDS, REGISTERED_PX, FeatureBag
from scangen_bundle.errors import InputError
from scangen_bundle.extraction.read_slide import SHARPNESS_TILES
from scangen_bundle.slides import (
    SlideReader,
    TileReader,
    identify_scanner,
    open_slide,
    resolve_mpp,
    sharpness,
    tissue_mask,
)

USUAL_MPP = 0.5


def complete_from_slide(
    bag: FeatureBag, slide_path: str | Path, source_mpp: float = math.nan, tissue: Mapping[str, Any] | None = None
) -> FeatureBag:
    """The bag with what its slide tells besides: scanner, size, resolution, tissue area, and the sharpness of its tiles.

    What the file itself says is kept. Tissue and sharpness are measured as for our own bags: the sharpness on up to 64 of
    the bag's own tiles, read again at their resolution; NaN where that or their places are not known.

    Args:
        bag: features of another tool.
        slide_path: the slide.
        source_mpp: resolution of level 0 that the user states, µm/px; NaN for the slide's own.
        tissue: options of `slides.tissue_mask`.

    Raises:
        InputError: the slide cannot be read, or the bag's coordinates lie outside it.
    """
    with open_slide(slide_path) as slide:
        width, height = slide.level_dimensions[0]
        known: dict[str, Any] = {
            "scanner": identify_scanner(slide.properties).name,
            "slide_width": width,
            "slide_height": height,
        }
        source = bag.source_mpp or _source_mpp(slide, bag, source_mpp)
        if source is not None:
            known |= {"source_mpp_x": source[0], "source_mpp_y": source[1]}
        bag = _with(bag, known)  # refuses coordinates of another frame before tiles are read there
        if source is None:
            return bag
        area = tissue_mask(slide, source_mpp=source, **(tissue or {})).area_mm2
        return _with(bag, {"tissue_mm2": area, "sharpness": _sharpness(slide, bag, source)})


def _with(bag: FeatureBag, known: Mapping[str, Any]) -> FeatureBag:
    return replace(bag, attributes={**known, **bag.attributes})


def _source_mpp(slide: SlideReader, bag: FeatureBag, stated: float) -> tuple[float, float] | None:
    try:
        return resolve_mpp(slide.mpp, bag.attributes.get("mpp", USUAL_MPP), stated, slide.path)
    except InputError:
        return None  # the audit says that the resolution of its tiles is not known


def _sharpness(slide: SlideReader, bag: FeatureBag, source_mpp: tuple[float, float]) -> float:
    tile_px, effective = bag.attributes.get("tile_px"), bag.tile_mpp()
    if not len(bag) or bag.coords_unit in (NO_COORDS, REGISTERED_PX) or tile_px is None or effective is None:
        return math.nan
    corners = bag.coords_level0()[:: -(-len(bag) // SHARPNESS_TILES)]
    tiles = TileReader(slide, math.sqrt(effective[0] * effective[1]), tile_px, source_mpp, allow_upsampling=True)
    return sharpness(tiles.read(corners))
