"""What crosses between processes: how slides are cut, a slide to read, what is known of it, and how it ended."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from scangen_bundle.errors import InputError, check_known
from scangen_bundle.slides import SlideReader, TissueMask, tile_grid, tissue_mask
from scangen_bundle.slides.open import BACKENDS
from scangen_bundle.slides.tissue import TISSUE_OPTIONS

LEAST = {"mask_mpp": 0.05}  # µm; other options of the tissue may be zero
OPTIONS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "tissue": (tissue_mask, ("mask_mpp", "relative_threshold", "closing_um", "min_area_um2")),
    "tiling": (tile_grid, ("min_tissue", "overlap", "max_tiles", "seed", "origin_um")),
}


def option_defaults(name: str) -> dict[str, Any]:
    """The options of "tissue" or "tiling" with the values that they have when they are not given."""
    function, options = OPTIONS[name]
    parameters = inspect.signature(function).parameters
    return {option: parameters[option].default for option in options}


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse options of "tissue" or "tiling" that do not exist or that no slide could be read with.

    Raises:
        InputError: it names them, and those that exist.
    """
    defaults = option_defaults(name)
    check_known(name, options, defaults)
    try:
        if name == "tiling":
            _try_tiling(options)
        elif low := {option: value for option, value in options.items() if not value >= LEAST.get(option, 0)}:
            raise ValueError(f"{low} is too small")
    except (TypeError, ValueError, OverflowError) as error:
        remedy = f"by default it is {defaults}"
        raise InputError(f"option {name}", f"cannot be {dict(options)}: {error}", remedy) from error


def _try_tiling(options: Mapping[str, Any]) -> None:
    """Lay the grid over a small mask: `tile_grid` raises on values that it cannot use."""
    given = {option: value for option, value in options.items() if value is not None}
    mask = TissueMask(np.ones((8, 8), bool), (1.0, 1.0), (1.0, 1.0))
    tile_grid(mask, (8, 8), (1.0, 1.0), **{"max_tiles": 1, **given})


@dataclass(frozen=True, kw_only=True)
class TilingSettings:
    """How slides are cut into tiles.

    Attributes:
        mpp: resolution of the tiles, µm/px; None takes the encoder's, see `for_encoder`.
        tile_px: side of the tiles; None takes the encoder's.
        batch_size: number of tiles that are handed over at a time.
        reader: a backend of `open_slide`, or a function from a path to an open slide (it is sent to other processes, so
            no lambda).
        allow_upsampling: allow an mpp finer than level 0 by more than 5 %.
        tissue: options of `slides.tissue_mask`.
        tiling: options of `slides.tile_grid`.

    Raises:
        InputError: an option that does not exist, or a size that is not positive.
    """

    mpp: float | None = None
    tile_px: int | None = None
    batch_size: int = 64
    reader: str | Callable[[str], SlideReader] = "auto"
    allow_upsampling: bool = False
    tissue: Mapping[str, Any] = field(default_factory=dict)
    tiling: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in OPTIONS:
            object.__setattr__(self, name, dict(getattr(self, name)))
            check_options(name, getattr(self, name))
        if isinstance(self.reader, str) and self.reader not in ("auto", *BACKENDS):
            problem = f"there is no reader {self.reader!r}"
            raise InputError("option reader", problem, f"take auto or one of {', '.join(BACKENDS)}")
        if self.batch_size < 1:
            raise InputError("option batch_size", f"is {self.batch_size}, expected at least 1", "")
        if self.mpp is not None and not 0 < self.mpp < math.inf:
            problem = f"is {self.mpp:g} µm/px, expected a positive number"
            raise InputError("option mpp", problem, "null takes the encoder's")

    @property
    def side_um(self) -> float:
        """Side of a tile, µm."""
        assert self.mpp is not None
        assert self.tile_px is not None
        return self.mpp * self.tile_px

    def for_encoder(self, tile_px: int, mpp: float) -> TilingSettings:
        """These settings with the encoder's side and resolution of a tile where none are given."""
        return replace(self, tile_px=self.tile_px or tile_px, mpp=float(self.mpp or mpp))

    def for_slide(self, task: SlideTask) -> TilingSettings:
        """These settings with the options of the slide's own kind of tissue, where the manifest says it."""
        return replace(self, tissue=TISSUE_OPTIONS[task.tissue]) if task.tissue else self


@dataclass(frozen=True, eq=False)
class SlideTask:
    """A slide to read. It holds paths and numbers only, so it may be sent anywhere that sees the same files.

    Attributes:
        slide_id: of the manifest.
        path: the slide file.
        source_mpp: resolution of level 0 that the user states, NaN for the file's own.
        mask: a mask file of the user, "" to find the tissue.
        centres_um: [N, 2] centres (x, y) of the tiles to read, µm from the top-left corner; None reads the tissue.
        bag: the feature bag to write, "" where none is written.
        picture: the picture of the tissue and the tiles to write, "" where none is written.
        tissue: a name of `slides.tissue.TISSUE_OPTIONS`, "" takes the job's options.
    """

    slide_id: str
    path: str
    source_mpp: float = math.nan
    mask: str = ""
    centres_um: np.ndarray | None = None
    bag: str = ""
    picture: str = ""
    tissue: str = ""


class TissuePicture(NamedTuple):
    """The picture of a slide's tissue and tiles, as JPEG."""

    jpeg: bytes


@dataclass(frozen=True, eq=False)
class SlideFacts:
    """What is known of a slide before its tiles are read.

    `coords` are int64 [N, 2] level-0 px, top-left; `remarks` are what a person should look at.
    """

    coords: np.ndarray
    source_mpp: tuple[float, float]
    effective_mpp: tuple[float, float]
    read_level: int
    slide_size: tuple[int, int]
    scanner: str
    tissue_mm2: float
    backend: str
    remarks: tuple[str, ...] = ()


class SlideEnd(NamedTuple):
    """A slide was read to its end."""

    sharpness: float


class Failure(NamedTuple):
    """Why no bag was made of a slide."""

    problem: str
    trace: str


# In this order: perhaps the picture, the facts, batches of tiles uint8 [n, tile_px, tile_px, 3], the end.
SlidePart = TissuePicture | SlideFacts | np.ndarray | SlideEnd
