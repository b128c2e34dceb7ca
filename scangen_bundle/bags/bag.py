"""A feature bag: the vectors of one scan's tiles, where the tiles are, and what made them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from scangen_bundle.bags.arrays import dataset_rows
from scangen_bundle.bags.attributes import stored_attributes
from scangen_bundle.bags.digest import ROWS_DIGEST, RowsDigest
from scangen_bundle.errors import InputError

TOOL = "scangen_bundle"
BLOCK_ROWS = 4096

# What `coords` count in. All are (x, y) of the tile's top-left corner, except the centres.
LEVEL0_PX = "level0_px"
LEVEL0_PX_CENTRE = "level0_px_centre"
MICROMETRES = "um"
REGISTERED_PX = "registered_px"
NO_COORDS = "none"


@dataclass(frozen=True, eq=False)
class FeatureBag:
    """One scan's features, whoever wrote them.

    Attributes:
        path: the file.
        features: array-like [N, D], float; memory-mapped where the file allows it. N may be 0.
        coords: [N, 2] (x, y); int64 level-0 px of the tile's top-left corner, unless `coords_unit` says otherwise.
        attributes: what is known, by the names of `BagAttributes`; of another tool's file some are missing.
            `downsample` there is the number of level-0 px per px of the tile, where only that is known.
        tool: who wrote the file.
        coords_unit: "level0_px", "level0_px_centre" (the tile's centre), "um" (micrometres from the slide's corner),
            "registered_px" (px of another slide) or "none" (the file has no coordinates; they are -1).

    Raises:
        InputError: the parts of the file contradict each other.
    """

    path: Path
    features: Any
    coords: np.ndarray
    attributes: dict[str, Any] = field(default_factory=dict)
    tool: str = TOOL
    coords_unit: str = LEVEL0_PX

    def __post_init__(self) -> None:
        again = "extract it again"
        if len(self.features.shape) != 2 or self.features.dtype.kind != "f":
            found = f"{self.features.dtype} {list(self.features.shape)}"
            raise InputError(self.path, f"its features are {found}, expected numbers with a point [N, D]", again)
        if self.coords.shape != (len(self), 2):
            problem = f"it has {len(self)} rows of features but coordinates {list(self.coords.shape)}"
            raise InputError(self.path, f"{problem}, expected [{len(self)}, 2]", again)
        if (dim := self.attributes.get("dim", self.dim)) != self.dim and len(self):
            raise InputError(self.path, f"it says D = {dim}, but its features have D = {self.dim}", again)
        if len(self) and self.coords_unit != NO_COORDS:
            self._check_frame()

    def _check_frame(self) -> None:
        low, high = self.coords.min(axis=0), self.coords.max(axis=0)
        size = self._slide_size()
        outside = size is not None and bool((high >= np.asarray(size)).any())
        if not np.isfinite(high).all() or (low < 0).any() or outside:
            expected = f"expected 0 to {size}" if outside else "expected numbers from 0"
            problem = f"its coordinates go from {low.tolist()} to {high.tolist()}, {expected}: another frame"
            raise InputError(self.path, problem, "these are not coordinates of this slide; extract it again")

    def _slide_size(self) -> tuple[float, float] | None:
        """Size (w, h) of the slide in what the coordinates count in, if it is known."""
        width, height = self.attributes.get("slide_width", 0), self.attributes.get("slide_height", 0)
        if not (width and height):
            return None
        if self.coords_unit == MICROMETRES:
            return None if (mpp := self.source_mpp) is None else (width * mpp[0], height * mpp[1])
        return None if self.coords_unit == REGISTERED_PX else (width, height)

    def __len__(self) -> int:
        return int(self.features.shape[0])

    @property
    def dim(self) -> int:
        """D, the length of a vector."""
        return int(self.features.shape[1])

    @property
    def source_mpp(self) -> tuple[float, float] | None:
        """Resolution (x, y) of level 0 in µm/px, if the file tells."""
        return self._pair("source_mpp")

    @property
    def effective_mpp(self) -> tuple[float, float] | None:
        """Resolution (x, y) of the tiles in µm/px, if the file tells."""
        return self._pair("effective_mpp")

    def tile_mpp(self, source_mpp: tuple[float, float] | None = None) -> tuple[float, float] | None:
        """Resolution (x, y) of the tiles in µm/px: as the file tells, or the slide's times the tiles' downsample.

        Args:
            source_mpp: resolution (x, y) of level 0 for files that do not tell it.
        """
        if self.effective_mpp is not None:
            return self.effective_mpp
        source, downsample = self.source_mpp or source_mpp, self.attributes.get("downsample")
        return None if source is None or not downsample else (source[0] * downsample, source[1] * downsample)

    def _pair(self, name: str) -> tuple[float, float] | None:
        values = self.attributes.get(f"{name}_x"), self.attributes.get(f"{name}_y")
        return None if values[0] is None or values[1] is None else (float(values[0]), float(values[1]))

    def tile_size_level0(self, source_mpp: tuple[float, float] | None = None) -> tuple[float, float] | None:
        """(w, h) of a tile in level-0 px; None if it cannot be told.

        Args:
            source_mpp: resolution (x, y) of level 0 for files that do not tell it.
        """
        tile_px, downsample = self.attributes.get("tile_px"), self.attributes.get("downsample")
        source, effective = self.source_mpp or source_mpp, self.effective_mpp
        if tile_px and downsample:
            return tile_px * downsample, tile_px * downsample
        if tile_px and source and effective:
            return tile_px * effective[0] / source[0], tile_px * effective[1] / source[1]
        return None

    def coords_level0(self, source_mpp: tuple[float, float] | None = None) -> np.ndarray:
        """Top-left corners int64 [N, 2] in level-0 px, whatever the file counts in.

        Args:
            source_mpp: resolution (x, y) of level 0 for files that do not tell it.

        Raises:
            InputError: the file has none, or what is needed to convert them is not known.
        """
        if self.coords_unit == LEVEL0_PX:
            return self.coords
        source, size = self.source_mpp or source_mpp, self.tile_size_level0(source_mpp)
        if self.coords_unit == MICROMETRES and source:
            return np.rint(self.coords / np.asarray(source)).astype(np.int64)
        if self.coords_unit == LEVEL0_PX_CENTRE and size:
            return np.rint(self.coords - np.asarray(size) / 2).astype(np.int64)
        remedy = "state the slide's mpp in the manifest" if self.coords_unit != NO_COORDS else "extract it again"
        raise InputError(self.path, f"its coordinates ({self.coords_unit}) cannot be put on the slide", remedy)

    def rows(self, index: Any = None) -> np.ndarray:
        """Rows `index` (all by default) as float32 [n, D], checked.

        Raises:
            InputError: one of them has a NaN or an infinite number, or all of them do not match the bag's digest.
        """
        rows = np.asarray(self.features[:] if index is None else self.features[index])
        picked = rows.astype(np.float32, copy=False)
        check_finite(self.path, picked)
        if index is None:
            self.check_digest(rows)
        return picked

    def check_digest(self, features: np.ndarray | None = None) -> None:
        """Compare coordinates and features with the digest that the bag states; files without one pass.

        Args:
            features: all rows [N, D] where they have been read; None reads them, in blocks.

        Raises:
            InputError: they do not match: the file is damaged.
        """
        if not self._stated_digest:
            return
        features = self.features if features is None else features
        digest = RowsDigest(self.coords)
        for start in range(0, len(self), BLOCK_ROWS):
            digest.update(features[start : start + BLOCK_ROWS])
        self._compare(digest)

    def check_rows(self) -> None:
        """Read all rows once.

        Raises:
            InputError: one has a NaN or an infinite number, or they do not match the bag's digest.
        """
        digest = RowsDigest(self.coords)
        for start in range(0, len(self), BLOCK_ROWS):
            block = np.asarray(self.features[start : start + BLOCK_ROWS])
            check_finite(self.path, block)
            digest.update(block)
        self._compare(digest)

    @property
    def _stated_digest(self) -> str:
        """ "" in bags of earlier versions and in files of other tools."""
        return self.attributes.get(ROWS_DIGEST, "") if self.tool == TOOL else ""

    def _compare(self, digest: RowsDigest) -> None:
        if self._stated_digest and digest.hexdigest() != self._stated_digest:
            problem = "its features or coordinates are damaged: they do not match their digest"
            raise InputError(self.path, problem, "extract or copy it again")


def check_finite(path: object, features: np.ndarray) -> None:
    """Refuse NaN and infinite numbers in features [n, D].

    Raises:
        InputError: it says how many rows and which comes first.
    """
    # A sum is finite only if all are; it needs no array of the same size. Overflow is no danger below 1e38 each.
    if np.isfinite(features.sum(dtype=np.float64)):
        return
    bad = np.flatnonzero(~np.isfinite(features).all(axis=-1))
    problem = f"{len(bad)} of {len(features)} vectors have NaN or infinite numbers, the first is row {bad[0]}"
    raise InputError(path, problem, "extract this slide again; if it happens again, with --dtype float32")


def read_own(path: Path, file: h5py.File) -> FeatureBag:
    """Read a bag of this package from its open file.

    Raises:
        InputError: something is missing or contradicts the rest.
    """
    for name in ("features", "coords"):
        if not isinstance(file.get(name), h5py.Dataset):
            raise InputError(path, f"the bag has no dataset {name!r}", "extract it again")
    attributes = stored_attributes(path, dict(file.attrs))
    features = file["features"]
    if features.ndim != 2:
        raise InputError(path, f"its features are {list(features.shape)}, expected [N, D]", "extract it again")
    coords = file["coords"][()]
    if coords.dtype.kind not in "iu":
        raise InputError(path, f"its coordinates are {coords.dtype}, expected whole numbers", "extract it again")
    return FeatureBag(path, dataset_rows(path, features, features.shape), coords, attributes)
