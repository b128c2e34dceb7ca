"""Pixels: readers, resolution, scanner identity, tissue, tiling."""

from scangen_bundle.slides.open import open_slide
from scangen_bundle.slides.openslide_reader import OpenSlideReader
from scangen_bundle.slides.reader import SlideReader
from scangen_bundle.slides.resolution import ReadPlan, plan_read, resolve_mpp
from scangen_bundle.slides.tile_reader import TileReader

__all__ = [
    "OpenSlideReader",
    "ReadPlan",
    "SlideReader",
    "TileReader",
    "open_slide",
    "plan_read",
    "resolve_mpp",
]
