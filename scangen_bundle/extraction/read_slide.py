"""A slide becomes tiles. Extraction, deploy app, served model and encoder benchmark all read their slides by this function."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.extraction.picture import tissue_picture
from scangen_bundle.extraction.work import SlideEnd, SlideFacts, SlidePart, SlideTask, TilingSettings, TissuePicture
from scangen_bundle.slides import (
    SlideReader,
    TileReader,
    TissueMask,
    identify_scanner,
    masks,
    open_slide,
    thumbnail,
    tile_grid,
    tile_sharpness,
    tissue_mask,
)
from scangen_bundle.slides.resolution import doubtful_width
from scangen_bundle.slides.tiff_metadata import PICTURES
from scangen_bundle.slides.tissue import TISSUE_OPTIONS

SHARPNESS_TILES = 64
MAX_TINT = 0.2  # of bare glass: its darkest colour below its brightest; scanners' own tints stay below half of it
COLOURED = 8  # grey levels between a pixel's colours; less is grey


def read_slide(task: SlideTask, settings: TilingSettings) -> Iterator[SlidePart]:
    """Read a slide's tiles at exactly one resolution.

    Args:
        task: the slide. With `centres_um` the tiles around these centres are read, in their order; otherwise the tiles of
            the grid that hold tissue, which is the user's mask or is detected.
        settings: how slides are cut; `mpp` and `tile_px` have to be given.

    Yields:
        `TissuePicture` if the task asks for one, also where no tile is left; `SlideFacts`; batches of tiles
        uint8 [n, tile_px, tile_px, 3] in the order of the coordinates; `SlideEnd`.

    Raises:
        InputError: the slide cannot be read, has no plausible mpp, or no tissue.
    """
    try:
        yield from _parts(task, settings)
    except InputError:
        raise
    except Exception as error:  # decoders fail in their own ways on damaged files
        problem = f"cannot be read ({type(error).__name__}: {error})"
        raise InputError(task.path, problem, "copy the slide again") from error


def _parts(task: SlideTask, settings: TilingSettings) -> Iterator[SlidePart]:
    settings = settings.for_slide(task)
    assert settings.mpp is not None
    assert settings.tile_px is not None
    with _open(task.path, settings) as slide:
        remarks = [slide.properties[PICTURES]] if PICTURES in slide.properties else []
        tiles = TileReader(slide, settings.mpp, settings.tile_px, task.source_mpp, settings.allow_upsampling)
        if task.centres_um is None:
            mask = _mask(slide, task, tiles.plan.source_mpp, settings)
            coords = _tissue_coords(slide, mask, tiles, settings)
            if task.picture:
                jpeg = tissue_picture(slide, task.slide_id, mask, coords, tiles.plan.tile_size_level0)
                yield TissuePicture(jpeg)
            if not len(coords):
                raise _no_tile(slide, task, mask, settings)
            tissue_mm2 = mask.area_mm2
            remarks += _strange_glass(mask, task)
        else:
            coords = _corners(task.centres_um, tiles, settings)
            tissue_mm2 = math.nan
        yield _facts(slide, coords, tiles, tissue_mm2, remarks)
        yield from _batches(tiles, coords, settings.batch_size)


def _open(path: str, settings: TilingSettings) -> SlideReader:
    if callable(settings.reader):
        return settings.reader(path)
    return open_slide(path, settings.reader)


def _mask(slide: SlideReader, task: SlideTask, source_mpp: tuple[float, float], settings: TilingSettings) -> TissueMask:
    if task.mask:
        return masks.load_mask(task.mask, slide.level_dimensions[0], source_mpp)
    return tissue_mask(slide, source_mpp=source_mpp, **settings.tissue)


def _tissue_coords(slide: SlideReader, mask: TissueMask, tiles: TileReader, settings: TilingSettings) -> np.ndarray:
    """Corners int64 [N, 2] of the grid's tiles that hold tissue."""
    size = slide.level_dimensions[0]
    return tile_grid(mask, size, tiles.plan.tile_size_level0, grid_um=settings.side_um, **settings.tiling)


def _corners(centres_um: np.ndarray, tiles: TileReader, settings: TilingSettings) -> np.ndarray:
    """Corners int64 [N, 2] of the tiles around centres [N, 2]."""
    corners_um = centres_um - settings.side_um / 2
    return np.rint(corners_um / np.array(tiles.plan.source_mpp)).astype(np.int64)


def _strange_glass(mask: TissueMask, task: SlideTask) -> list[str]:
    """A remark where the bare glass is far from grey, as where a decoder takes YCbCr for RGB."""
    if mask.glass is None or min(mask.glass) >= max(mask.glass) * (1 - MAX_TINT):
        return []
    red, green, blue = map(round, mask.glass)
    look = f"look at {task.picture}" if task.picture else "look at the slide in a viewer"
    return [
        f"its bare glass has the colour ({red}, {green}, {blue}), far from grey: colours may be decoded wrongly; {look}"
    ]


def _no_tile(slide: SlideReader, task: SlideTask, mask: TissueMask, settings: TilingSettings) -> InputError:
    if not task.mask and int(np.ptp(thumbnail(slide, 600), axis=-1).max()) < COLOURED:
        return InputError(
            task.path, "no tissue: the picture is grey", "give a slide with its stain's colours, or a mask file"
        )
    tissue = f"{mask.area_mm2:.3g} mm² of tissue were found"
    problem = f"{tissue}, enough for no tile of {settings.tile_px} px at {settings.mpp:g} µm/px"
    if task.mask:
        remedy = "what is tissue has to be white in a picture, or inside an outline; or lower tiling's min_tissue"
        return InputError(task.mask, f"the mask leaves no tile: {problem}", remedy)
    remedy = "look at its picture in the folder tissue; "
    if dict(settings.tissue) != TISSUE_OPTIONS["smear"]:
        remedy += "for smears and cytospins add configs/tissue/smear.yaml (--tissue smear); "
    remedy += "give a mask file, lower tiling's min_tissue, or take the row out"
    doubt = doubtful_width(slide.level_dimensions[0], mask.source_mpp)
    if doubt and not math.isnan(task.source_mpp):
        problem += f"; {doubt}"
        remedy = f"check the column mpp of the manifest; {remedy}"
    return InputError(task.path, f"no tissue: {problem}", remedy)


def _facts(
    slide: SlideReader, coords: np.ndarray, tiles: TileReader, tissue_mm2: float, remarks: Sequence[str]
) -> SlideFacts:
    return SlideFacts(
        coords=coords,
        source_mpp=tiles.plan.source_mpp,
        effective_mpp=tiles.plan.effective_mpp,
        read_level=tiles.plan.read_level,
        slide_size=slide.level_dimensions[0],
        scanner=identify_scanner(slide.properties).name,
        tissue_mm2=tissue_mm2,
        backend=slide.backend,
        remarks=tuple(remarks),
    )


def _batches(tiles: TileReader, coords: np.ndarray, batch_size: int) -> Iterator[np.ndarray | SlideEnd]:
    """The tiles in batches, then the end with the median sharpness of evenly spread tiles."""
    step = -(-len(coords) // SHARPNESS_TILES)
    sharpness: list[np.ndarray] = []
    for start in range(0, len(coords), batch_size):
        batch = tiles.read(coords[start : start + batch_size])
        sharpness.append(tile_sharpness(batch[(-start) % step :: step]))
        yield batch
    yield SlideEnd(float(np.median(np.concatenate(sharpness))))


def find_mask(folder: Path | None, slide_id: str) -> str:
    """The user's mask file of a slide, `<slide_id>.png`, `.geojson` or `.json`; "" if there is none."""
    if folder is None:
        return ""
    for suffix in (*masks.PICTURES, *masks.OUTLINES):
        place = folder / f"{slide_id}{suffix}"
        if place.is_file():
            return str(place)
    return ""
