"""One slide, read tile by tile: what a reader process does."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scangen_bundle.errors import InputError, check_known
from scangen_bundle.extraction.picture import tissue_picture
from scangen_bundle.slides import (
    SlideReader,
    TileReader,
    TissueMask,
    identify_scanner,
    open_slide,
    tile_grid,
    tile_sharpness,
    tissue_mask,
)
from scangen_bundle.slides.masks import OUTLINES, PICTURES, load_mask
from scangen_bundle.slides.open import BACKENDS

SHARPNESS_TILES = 64
LEAST = {"mask_mpp": 0.05}  # µm; other options of the tissue may be zero
OPTIONS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "tissue": (tissue_mask, ("mask_mpp", "relative_threshold", "closing_um", "min_area_um2")),
    "tiling": (tile_grid, ("min_tissue", "overlap", "max_tiles", "seed", "origin_um")),
}


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse options of "tissue" or "tiling" that do not exist or that no slide could be read with.

    Raises:
        InputError: it names them, and those that there are.
    """
    known = option_defaults(name)
    check_known(name, options, known)
    try:
        if name == "tiling":
            given = {"max_tiles": 1, **{option: value for option, value in options.items() if value is not None}}
            tile_grid(TissueMask(np.ones((8, 8), bool), (1.0, 1.0), (1.0, 1.0)), (8, 8), (1.0, 1.0), **given)
        elif low := {option: value for option, value in options.items() if not value >= LEAST.get(option, 0)}:
            raise ValueError(f"{low} is too small")
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"option {name}", f"cannot be {dict(options)}: {error}", f"by default it is {known}"
        ) from error


def option_defaults(name: str) -> dict[str, Any]:
    """The options of "tissue" or "tiling" with the values that they have when they are not given."""
    function, options = OPTIONS[name]
    parameters = inspect.signature(function).parameters
    return {option: parameters[option].default for option in options}


@dataclass(frozen=True, kw_only=True)
class TilingSettings:
    """How slides are cut into tiles.

    Attributes:
        mpp: resolution of the tiles, µm/px.
        tile_px: side of the tiles.
        batch_size: tiles that are handed over at a time.
        reader: a backend of `open_slide`, or a function from a path to an open slide.
        allow_upsampling: allow an mpp finer than level 0 by more than 5 %.
        tissue: options of `slides.tissue_mask`.
        tiling: options of `slides.tile_grid`.
        picture: draw the tissue and the tiles of each slide.

    Raises:
        InputError: an option that does not exist, or a size that is not positive.
    """

    mpp: float
    tile_px: int
    batch_size: int = 64
    reader: str | Callable[[str], SlideReader] = "auto"
    allow_upsampling: bool = False
    tissue: Mapping[str, Any] = field(default_factory=dict)
    tiling: Mapping[str, Any] = field(default_factory=dict)
    picture: bool = False

    def __post_init__(self) -> None:
        check_options("tissue", self.tissue)
        check_options("tiling", self.tiling)
        if isinstance(self.reader, str) and self.reader not in ("auto", *BACKENDS):
            problem = f"there is no reader {self.reader!r}"
            raise InputError("option reader", problem, f"take auto or one of {', '.join(BACKENDS)}")
        if self.batch_size < 1:
            raise InputError("option batch_size", f"is {self.batch_size}, expected at least 1", "")
        if not 0 < self.mpp < math.inf:
            raise InputError(
                "option mpp", f"is {self.mpp:g} µm/px, expected a positive number", "null takes the encoder's"
            )


@dataclass(frozen=True)
class SlideTask:
    """A scan to read.

    Attributes:
        slide_id: of the manifest.
        path: the slide file.
        source_mpp: resolution of level 0 that the user states, NaN for the file's own.
        mask: a mask file of the user, "" to find the tissue.
    """

    slide_id: str
    path: str
    source_mpp: float
    mask: str = ""


@dataclass(frozen=True, eq=False)
class SlideFacts:
    """What is known of a slide before its tiles are read. `coords` are int64 [N, 2] level-0 px, top-left."""

    coords: np.ndarray
    source_mpp: tuple[float, float]
    effective_mpp: tuple[float, float]
    read_level: int
    slide_size: tuple[int, int]
    scanner: str
    tissue_mm2: float
    backend: str


def read_slide(task: SlideTask, settings: TilingSettings) -> Iterator[bytes | SlideFacts | np.ndarray | float]:
    """Read a slide: first its picture if that is asked for (see `tissue_picture`), also where it has no tile; then its facts,
    tiles uint8 [n, tile_px, tile_px, 3] in the order of the coordinates, last the sharpness.

    Raises:
        InputError: the slide cannot be read, has no plausible mpp, or no tissue.
    """
    open_with = settings.reader if callable(settings.reader) else lambda path: open_slide(path, str(settings.reader))
    with open_with(task.path) as slide:
        tiles = TileReader(
            slide, settings.mpp, settings.tile_px, task.source_mpp, allow_upsampling=settings.allow_upsampling
        )
        mask = _mask(slide, task, tiles.plan.source_mpp, settings)
        coords = tile_grid(
            mask,
            slide.level_dimensions[0],
            tiles.plan.tile_size_level0,
            grid_um=settings.mpp * settings.tile_px,
            **settings.tiling,
        )
        if settings.picture:
            yield tissue_picture(slide, task.slide_id, mask, coords, tiles.plan.tile_size_level0)
        if not len(coords):
            found = f"{mask.area_mm2:.3g} mm² of tissue were found, enough for no tile of {settings.tile_px} px"
            if task.mask:
                remedy = (
                    "what is tissue has to be white in a picture, or inside an outline; or lower tiling's min_tissue"
                )
                raise InputError(task.mask, f"the mask leaves no tile: {found} at {settings.mpp:g} µm/px", remedy)
            remedy = (
                "look at its picture in the folder tissue; for smears and cytospins add configs/tissue/smear.yaml; give a mask "
                "file, lower tiling's min_tissue, or take the row out"
            )
            raise InputError(task.path, f"no tissue: {found} at {settings.mpp:g} µm/px", remedy)
        yield SlideFacts(
            coords,
            tiles.plan.source_mpp,
            tiles.plan.effective_mpp,
            tiles.plan.read_level,
            slide.level_dimensions[0],
            identify_scanner(slide.properties).name,
            mask.area_mm2,
            slide.backend,
        )
        step = -(-len(coords) // SHARPNESS_TILES)
        sharpness: list[np.ndarray] = []
        for start in range(0, len(coords), settings.batch_size):
            batch = tiles.read(coords[start : start + settings.batch_size])
            sharpness.append(tile_sharpness(batch[(-start) % step :: step]))
            yield batch
        yield float(np.median(np.concatenate(sharpness)))


def _mask(slide: SlideReader, task: SlideTask, source_mpp: tuple[float, float], settings: TilingSettings) -> TissueMask:
    if task.mask:
        return load_mask(task.mask, slide.level_dimensions[0], source_mpp)
    return tissue_mask(slide, source_mpp=source_mpp, **settings.tissue)


def find_mask(folder: Path | None, slide_id: str) -> str:
    """The user's mask file of a slide, `<slide_id>.png`, `.geojson` or `.json`; "" if there is none."""
    places = [folder / f"{slide_id}{suffix}" for suffix in (*PICTURES, *OUTLINES)] if folder else []
    return next((str(place) for place in places if place.is_file()), "")
