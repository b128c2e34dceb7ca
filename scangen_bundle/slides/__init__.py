"""Pixels: readers, resolution, scanner identity, tissue, tiling."""

from scangen_bundle.slides.cucim_reader import CucimReader
from scangen_bundle.slides.identity import ScannerIdentity, compare_scanner, identify_scanner
from scangen_bundle.slides.masks import load_mask
from scangen_bundle.slides.open import open_slide
from scangen_bundle.slides.openslide_reader import OpenSlideReader
from scangen_bundle.slides.overlay import mask_overlay
from scangen_bundle.slides.overview import read_thumbnail, thumbnail
from scangen_bundle.slides.reader import SlideReader
from scangen_bundle.slides.resolution import ReadPlan, plan_read, resolve_mpp
from scangen_bundle.slides.sharpness import sharpness, tile_sharpness
from scangen_bundle.slides.tifffile_reader import TifffileReader
from scangen_bundle.slides.tile_reader import TileReader
from scangen_bundle.slides.tiling import tile_grid, tissue_fraction
from scangen_bundle.slides.tissue import TissueMask, tissue_mask

__all__ = [
    "CucimReader",
    "OpenSlideReader",
    "ReadPlan",
    "ScannerIdentity",
    "SlideReader",
    "TifffileReader",
    "TileReader",
    "TissueMask",
    "compare_scanner",
    "identify_scanner",
    "load_mask",
    "mask_overlay",
    "open_slide",
    "plan_read",
    "read_thumbnail",
    "resolve_mpp",
    "sharpness",
    "thumbnail",
    "tile_grid",
    "tile_sharpness",
    "tissue_fraction",
    "tissue_mask",
]
