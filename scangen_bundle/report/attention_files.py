"""What is written of a specimen's attention: each scan's overlay, raster and tiles, and its scans side by side.

Nothing here needs the network, so that other processes can do it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scangen_bundle.bags import FeatureBag, open_bag
from scangen_bundle.files import write_atomically
from scangen_bundle.report.contact_sheet import read_tiles, top_tiles, write_contact_sheet
from scangen_bundle.report.geojson import write_geojson
from scangen_bundle.report.heatmap import Heatmap, attention_heatmap, nifti_bytes, write_overlay
from scangen_bundle.report.side_by_side import write_side_by_side
from scangen_bundle.slides import open_slide, read_thumbnail

SMALL_PX = 600  # longest side of a thumbnail in the picture of a specimen


@dataclass(frozen=True)
class AttentionFiles:
    """Which files are written, and where.

    Attributes:
        folder: of `<slide_id>.png` (over the thumbnail), `<slide_id>.nii.gz`, `<slide_id>.geojson`, `tiles/<slide_id>.png`
            and `scanners/<specimen_id>.png`.
        thumbnail_px: longest side of the thumbnail below a map.
        geojson: write the tiles for QuPath.
        top_tiles: tiles on the contact sheet; 0 for no sheet.
    """

    folder: Path
    thumbnail_px: int = 1000
    geojson: bool = True
    top_tiles: int = 12


@dataclass(frozen=True, eq=False)
class AttendedScan:
    """A scan and where the network looked on it.

    Attributes:
        slide_id: names its files.
        title: of its panel in the picture of the specimen.
        features_path: its bag.
        slide_path: its slide, "" if there is none.
        stated_mpp: the manifest's, NaN for the slide's own.
        weights: [N] attention of the bag's tiles, in their order; the sum is 1.
        caption: what is said of the scan, below its id.
    """

    slide_id: str
    title: str
    features_path: str
    slide_path: str
    stated_mpp: float
    weights: np.ndarray
    caption: str = ""


@dataclass(frozen=True)
class _Drawn:
    """A scan's map for the picture of its specimen; `was_there`: an earlier run had drawn it."""

    heatmap: Heatmap
    thumbnail: np.ndarray | None
    was_there: bool


def write_specimen(specimen: str, scans: Sequence[AttendedScan], files: AttentionFiles) -> list[str]:
    """Write the files of a specimen's scans that are not there yet, and of several scans the picture of all.

    A scan's NIfTI file is written last: where it is there with the same attention, an earlier run has finished the scan.

    Returns:
        Ids of the scans whose bags do not tell the size of their tiles; nothing is written of them.

    Raises:
        InputError: a bag or a slide cannot be read.
    """
    panels: dict[str, tuple[Heatmap, np.ndarray | None]] = {}
    finished, unknown = True, []
    for scan in scans:
        drawn = _write_scan(scan, files)
        if drawn is None:
            unknown.append(scan.slide_id)
            continue
        panels[scan.title] = drawn.heatmap, drawn.thumbnail
        finished &= drawn.was_there
    path = files.folder / "scanners" / f"{specimen}.png"
    if len(panels) > 1 and not (finished and path.exists()):
        write_side_by_side(panels, path, title=specimen)
    return unknown


def _write_scan(scan: AttendedScan, files: AttentionFiles) -> _Drawn | None:
    """The scan's files; None where the size of its tiles is not known."""
    bag = open_bag(scan.features_path)
    mpp = bag.source_mpp or _mpp(scan)
    tile = bag.tile_size_level0(mpp)
    if mpp is None or tile is None:
        return None
    coords = bag.coords_level0(mpp)  # an inference run takes whole bags, in their order
    thumbnail, size = None, tuple(coords.max(axis=0) + tile)
    if scan.slide_path:
        thumbnail, size = read_thumbnail(scan.slide_path, files.thumbnail_px)
    heatmap = attention_heatmap(coords, scan.weights, tile, size, mpp)
    nifti, content = files.folder / f"{scan.slide_id}.nii.gz", nifti_bytes(heatmap)
    small = None
    if thumbnail is not None:
        step = max(1, max(thumbnail.shape) // SMALL_PX)
        small = thumbnail[::step, ::step].copy()
    if nifti.exists() and nifti.read_bytes() == content:
        return _Drawn(heatmap, small, was_there=True)
    title = f"{scan.slide_id}: {scan.caption}" if scan.caption else scan.slide_id
    write_overlay(heatmap, thumbnail, files.folder / f"{scan.slide_id}.png", title=title)
    if files.geojson:
        write_geojson(files.folder / f"{scan.slide_id}.geojson", scan.slide_id, coords, scan.weights, tile)
    if files.top_tiles and scan.slide_path:
        _write_tiles(scan, bag, coords, tile[0], mpp, files)
    with write_atomically(nifti) as temporary:
        temporary.write_bytes(content)
    return _Drawn(heatmap, small, was_there=False)


def _mpp(scan: AttendedScan) -> tuple[float, float] | None:
    """Resolution of level 0 where the bag does not tell: the manifest's, or else the slide's own."""
    if scan.stated_mpp == scan.stated_mpp:
        return scan.stated_mpp, scan.stated_mpp
    if not scan.slide_path:
        return None
    with open_slide(scan.slide_path) as reader:
        return reader.mpp


def _write_tiles(
    scan: AttendedScan,
    bag: FeatureBag,
    coords: np.ndarray,
    tile_level0: float,
    source_mpp: tuple[float, float],
    files: AttentionFiles,
) -> None:
    best = top_tiles(scan.weights, files.top_tiles)
    tile_px = int(bag.attributes["tile_px"])
    mpp = tile_level0 * source_mpp[0] / tile_px
    tiles = read_tiles(scan.slide_path, coords[best], mpp, tile_px, source_mpp)
    path = files.folder / "tiles" / f"{scan.slide_id}.png"
    write_contact_sheet(tiles, scan.weights[best] * len(scan.weights), coords[best], mpp, path, title=scan.slide_id)
