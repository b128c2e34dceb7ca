"""What every slide reader offers, and what the backends share: geometry, colours, handles that survive a fork."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from scangen_bundle.errors import InputError

WHITE = 255


@runtime_checkable
class SlideReader(Protocol):
    """An open slide. Sizes are (width, height); a resolution or a downsample is (x, y)."""

    path: Path
    backend: str
    level_dimensions: list[tuple[int, int]]
    level_downsamples: list[tuple[float, float]]
    mpp: tuple[float, float] | None
    properties: dict[str, str]

    def read_region(self, x: int, y: int, level: int, width: int, height: int) -> np.ndarray:
        """The region whose top-left corner is at (x, y) in level-0 px: uint8 [height, width, 3], white outside."""
        ...

    def read_regions(
        self, xy: np.ndarray, level: int, width: int, height: int, out: np.ndarray | None = None
    ) -> np.ndarray:
        """The regions at `xy` int64 [n, 2]: uint8 [n, height, width, 3], written into `out` if it is given."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> SlideReader: ...

    def __exit__(self, *exception: object) -> None: ...


class UnsupportedLayout(InputError):
    """The file may be whole, but this backend cannot read it correctly; another one may."""


class PyramidReader(ABC):
    """Base of the backends. A backend gives `_open`, `_describe` and `_read`.

    The handle is opened lazily in each process: a reader can be pickled, and used after a fork.

    Raises:
        InputError: the file is missing, empty, or not a slide that the backend can read.
    """

    backend: str

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._handle: Any = None
        self._owner = 0
        check_file(self.path)
        self.level_dimensions: list[tuple[int, int]]
        self.mpp: tuple[float, float] | None
        self.properties: dict[str, str]
        self.level_dimensions, self.mpp, self.properties = self._describe()
        self.level_downsamples = [level_downsample(self.level_dimensions[0], size) for size in self.level_dimensions]
        check_levels(self.path, self.level_dimensions)

    @abstractmethod
    def _open(self) -> Any:
        """Open the file and return the handle."""

    @abstractmethod
    def _describe(self) -> tuple[list[tuple[int, int]], tuple[float, float] | None, dict[str, str]]:
        """Level sizes, mpp and properties of the file."""

    @abstractmethod
    def _read(self, corners: np.ndarray, level: int, out: np.ndarray) -> None:
        """Fill `out` uint8 [n, h, w, 3] with the regions at `corners` int64 [n, 2], in px of the level."""

    def handle(self) -> Any:
        """The handle of this process."""
        if self._handle is None or self._owner != os.getpid():
            self._handle, self._owner = self._open(), os.getpid()
        return self._handle

    def read_region(self, x: int, y: int, level: int, width: int, height: int) -> np.ndarray:
        """The region whose top-left corner is at (x, y) in level-0 px: uint8 [height, width, 3], white outside.

        The corner is rounded to whole px of the level, so that no backend has to interpolate.
        """
        return self.read_regions(np.array([[x, y]]), level, width, height)[0]

    def read_regions(
        self, xy: np.ndarray, level: int, width: int, height: int, out: np.ndarray | None = None
    ) -> np.ndarray:
        """The regions at `xy` int64 [n, 2]: uint8 [n, height, width, 3], written into `out` if it is given.

        Raises:
            InputError: the file is damaged where it is read.
            ValueError: no such level, or `out` has another shape or type.
        """
        xy = np.asarray(xy).reshape(-1, 2)
        if not 0 <= level < len(self.level_dimensions):
            raise ValueError(f"{self.path}: level {level} asked for, the slide has {len(self.level_dimensions)} levels")
        shape = (len(xy), height, width, 3)
        if out is None:
            out = np.empty(shape, np.uint8)
        elif out.shape != shape or out.dtype != np.uint8:
            raise ValueError(f"out is {out.dtype} {out.shape}, expected uint8 {shape}")
        corners = level_corners(xy, self.level_downsamples[level])
        if len(corners):
            self._read(corners, level, out)
        return out

    def close(self) -> None:
        """Close the file; reading again opens it again."""
        handle, self._handle = self._handle, None
        if handle is not None and self._owner == os.getpid():
            handle.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handle": None}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"


def check_file(path: Path) -> None:
    """Refuse what is not a file with something in it.

    Raises:
        InputError: missing, a folder, empty, or not readable by this user.
    """
    if not path.exists():
        raise InputError(path, "there is no such slide file", "check slide_path in the manifest")
    if not path.is_file():
        raise InputError(path, "is a folder, not a slide file", "name one file (for DICOM, any file of the series)")
    if path.stat().st_size == 0:
        raise InputError(path, "the slide file is empty (0 bytes)", "copy or export it again")
    if not os.access(path, os.R_OK):
        raise InputError(path, "the slide file may not be read by this user", "change its permissions")


def level_downsample(level0: tuple[int, int], size: tuple[int, int]) -> tuple[float, float]:
    """Downsample (x, y) of a level of `size` below `level0`.

    Pyramids halve and drop the odd pixel, so 4443 px become 2221: that is a downsample of 2, not of 2.0005, and over a
    wide slide the difference moves a tile by whole pixels. A whole number that explains both sizes is therefore taken.
    """
    x, y = level0[0] / size[0], level0[1] / size[1]
    whole = max(1, round(math.sqrt(x * y)))
    if all(abs(full / whole - part) < 1 for full, part in zip(level0, size, strict=True)):
        return float(whole), float(whole)
    return x, y


def check_levels(path: Path, sizes: Sequence[tuple[int, int]]) -> None:
    """Refuse a pyramid whose levels cannot be the same picture.

    Raises:
        InputError: a level's aspect ratio differs from level 0 by more than 2 % beyond rounding to whole pixels.
    """
    full = sizes[0]
    for level, (width, height) in enumerate(sizes):
        x, y = full[0] / width, full[1] / height
        if abs(x / y - 1) > 0.02 + 2 / width + 2 / height:
            raise InputError(
                path,
                f"its levels disagree: level 0 is {full[0]} x {full[1]} px, level {level} is {width} x {height} px "
                f"(downsamples {x:.3f} and {y:.3f}, expected equal)",
                "export the slide again; its pyramid is not one picture",
            )


def level_corners(xy: np.ndarray, downsample: tuple[float, float]) -> np.ndarray:
    """Level-0 corners [n, 2] as whole px of a level, int64 [n, 2], rounded half up."""
    return np.floor(np.asarray(xy) / np.asarray(downsample) + 0.5).astype(np.int64)


def over_white(rgba: np.ndarray) -> np.ndarray:
    """Straight-alpha RGBA uint8 [..., 4] laid over white: uint8 [..., 3]."""
    alpha = rgba[..., 3]
    if (alpha == 255).all():
        return rgba[..., :3]
    weight = alpha[..., None].astype(np.uint16)
    mixed = rgba[..., :3] * weight + WHITE * (255 - weight)
    return ((mixed + 127) // 255).astype(np.uint8)
