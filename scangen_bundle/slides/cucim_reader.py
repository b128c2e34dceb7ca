"""Tiled TIFF and SVS through cuCIM, an optional extra: on a GPU or, without one, on the CPU."""

from __future__ import annotations

import math
import os
from importlib import import_module
from typing import Any

import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.slides.reader import WHITE, PyramidReader, UnsupportedLayout
from scangen_bundle.slides.tiff_pyramid import TiffLevel, TiffPyramid, read_tiff_pyramid
from scangen_bundle.slides.tifffile_reader import check_tiles

INSTALL = "pip install --no-deps cucim-cu12==26.10.0 lazy-loader"
SUFFIXES = (".svs", ".tif", ".tiff")
# Numbers of the TIFF tag that it decodes as others do and whose damage it tells or `check_tiles` sees: none, JPEG, Deflate
# (two numbers) and Aperio's JPEG 2000. It reads LZW as well, but gives any pixels for a damaged tile.
COMPRESSIONS = (1, 7, 8, 32946, 33005)
OTHER_READER = "read it with the backend tifffile or auto"


class CucimHandle:
    """An open cuCIM image, and the file descriptor and pyramid by which its tiles are checked."""

    def __init__(self, path: os.PathLike[str], pyramid: TiffPyramid, image: Any) -> None:
        self.pyramid, self.image = pyramid, image
        self.file = os.open(path, os.O_RDONLY)

    def close(self) -> None:
        self.image.close()
        os.close(self.file)


class CucimReader(PyramidReader):
    """Read tiled TIFF and Aperio SVS through cuCIM.

    Resolution and metadata are read from the TIFF itself, because cuCIM reports a missing resolution as 1.0. cuCIM fills a
    damaged JPEG tile with grey or with old memory and says nothing, so the tiles are checked to be whole before it reads.
    Damage between a tile's whole ends (a block that a disk lost) is not seen; the other backends refuse it.

    Args:
        path: the slide file.
        device: "cpu", or "cuda" to decode on the GPU.

    Raises:
        UnsupportedLayout: not a TIFF that cuCIM reads, or one that it does not read correctly (see `misread`).
        InputError: cuCIM is not installed, or the file is missing, empty or damaged.
    """

    backend = "cucim"

    def __init__(self, path: str | os.PathLike[str], device: str = "cpu") -> None:
        self.device = device
        super().__init__(path)

    def _open(self) -> CucimHandle:
        try:
            cucim = import_module("cucim")
        except ImportError as error:
            raise InputError("reader backend cucim", f"cuCIM is not installed ({error})", f"run: {INSTALL}") from error
        pyramid = read_tiff_pyramid(self.path)
        if self.path.suffix.lower() not in SUFFIXES:
            raise UnsupportedLayout(
                self.path, f"cuCIM goes by the suffix, expected one of {SUFFIXES}", "rename the file"
            )
        for level in pyramid.levels:
            if problem := misread(level):
                raise UnsupportedLayout(self.path, f"cuCIM does not read {problem} correctly", OTHER_READER)
        try:
            image = cucim.CuImage(str(self.path))
            sizes = [tuple(size) for size in image.resolutions["level_dimensions"]]
        except (RuntimeError, ValueError) as error:
            raise InputError(self.path, f"cuCIM cannot open it: {error}", OTHER_READER) from error
        if sizes != [level.size for level in pyramid.levels]:
            raise UnsupportedLayout(self.path, "cuCIM sees other levels than the file has", OTHER_READER)
        return CucimHandle(self.path, pyramid, image)

    def _describe(self) -> tuple[list[tuple[int, int]], tuple[float, float] | None, dict[str, str]]:
        pyramid = self.handle().pyramid
        return [level.size for level in pyramid.levels], pyramid.mpp, dict(pyramid.properties)

    def _read(self, corners: np.ndarray, level: int, out: np.ndarray) -> None:
        handle: CucimHandle = self.handle()
        grid = handle.pyramid.levels[level]
        size = (out.shape[2], out.shape[1])
        check_tiles(self.path, handle.file, grid, corners, size)
        scale = handle.image.resolutions["level_downsamples"][level]
        for row in np.lexsort((corners[:, 0], corners[:, 1])):
            # cuCIM pads with black: read what is inside, leave the rest white.
            start = np.maximum(corners[row], 0)
            stop = np.minimum(corners[row] + size, grid.size)
            x, y = (start - corners[row]).tolist()
            across, down = (stop - start).tolist()
            if (across, down) != size:
                out[row] = WHITE
            if across <= 0 or down <= 0:
                continue
            try:
                region = handle.image.read_region(
                    cucim_location(start.tolist(), scale), (across, down), level, device=self.device
                )
            except (RuntimeError, ValueError) as error:
                raise InputError(self.path, f"cuCIM cannot read level {level} at {start.tolist()}: {error}") from error
            out[row, y : y + down, x : x + across] = _to_numpy(region)


def misread(level: TiffLevel) -> str:
    """What cuCIM makes wrong pixels of, or fails at, in a level; "" if there is nothing."""
    if level.compression not in COMPRESSIONS:
        return f"the TIFF compression {level.compression}"
    if level.predictor != 1:
        return f"tiles with a predictor (TIFF predictor {level.predictor})"
    if level.samples != 3:
        return "tiles with transparency"
    return "a level that leaves out tiles" if level.is_sparse else ""


def cucim_location(corner: list[int], scale: float) -> tuple[int, int]:
    """The level-0 location that makes cuCIM start at `corner` of a level: it rounds location / scale down to whole px."""
    if scale == 1:
        return corner[0], corner[1]
    # A quarter of a pixel more, so that the rounding of the division cannot tip it over.
    return math.ceil(corner[0] * scale + 0.25), math.ceil(corner[1] * scale + 0.25)


def _to_numpy(region: Any) -> np.ndarray:
    if hasattr(region, "__array_interface__"):
        return np.asarray(region)[..., :3]
    import cupy  # the region is in GPU memory

    return cupy.asnumpy(cupy.asarray(region))[..., :3]
