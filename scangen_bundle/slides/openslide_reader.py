"""Slides through OpenSlide: every format that it knows."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.slides.reader import WHITE, PyramidReader, UnsupportedLayout, over_white
from scangen_bundle.slides.tiff_metadata import PICTURES
from scangen_bundle.slides.tiff_pyramid import TiffLevel, TiffPyramid, read_tiff_pyramid
from scangen_bundle.slides.tifffile_reader import check_tiles

if TYPE_CHECKING:
    import openslide

SHIFT_MARGIN = 8
EXPORT = "give a whole-slide image, or export it as tiled TIFF with JPEG tiles"
UNSUPPORTED_COMPRESSION = "Unsupported TIFF compression"  # in the message: OpenSlide has one type for all its errors


class OpenSlideHandle:
    """An open OpenSlide, and where the file's native tiles lie if that is understood."""

    def __init__(self, path: Path, slide: openslide.OpenSlide) -> None:
        self.path, self.slide = path, slide
        self._file: int | None = None

    @cached_property
    def pyramid(self) -> TiffPyramid | None:
        """The file as a tiled TIFF; None for a layout that OpenSlide alone understands."""
        try:
            return read_tiff_pyramid(self.path)
        except UnsupportedLayout:
            return None

    @cached_property
    def _levels(self) -> dict[tuple[int, int], TiffLevel]:
        if self.pyramid is None:
            return {}
        self._file = os.open(self.path, os.O_RDONLY)
        return {level.size: level for level in self.pyramid.levels}

    def check_tiles(self, corners: np.ndarray, level_size: tuple[int, int], size: tuple[int, int]) -> None:
        """Refuse regions of `size` at `corners` (px of the level) that need a native tile which is cut short."""
        level = self._levels.get(level_size)
        if level is not None and self._file is not None:
            check_tiles(self.path, self._file, level, corners, size)

    def close(self) -> None:
        self.slide.close()
        if self._file is not None:
            os.close(self._file)


class OpenSlideReader(PyramidReader):
    """Read SVS, NDPI, MRXS, SCN, BIF, Philips TIFF, generic tiled TIFF, DICOM and Zeiss slides through OpenSlide 4.

    OpenSlide fills a tile that is cut short with grey and says nothing. Where the file is a tiled TIFF of a known layout,
    tiles are checked to be whole before it reads; in other formats this is not seen.

    Args:
        path: the slide file.

    Raises:
        UnsupportedLayout: no slide that OpenSlide knows, or one with a compression that it does not decode.
        InputError: the file is missing, empty or damaged, or a TIFF that `read_tiff_pyramid` refuses for every reader.
    """

    backend = "openslide"

    def _open(self) -> OpenSlideHandle:
        import openslide

        try:
            return OpenSlideHandle(self.path, openslide.OpenSlide(str(self.path)))
        except openslide.OpenSlideUnsupportedFormatError:
            raise UnsupportedLayout(
                self.path,
                "OpenSlide does not know this format",
                f"{EXPORT}; if it is one, its copy is damaged: copy it again",
            ) from None
        except openslide.OpenSlideError as error:
            if UNSUPPORTED_COMPRESSION in str(error):
                raise UnsupportedLayout(
                    self.path,
                    f"OpenSlide does not decode its tiles ({error})",
                    "read it with the backend tifffile",
                ) from error
            raise InputError(
                self.path, f"OpenSlide cannot open it: {error}", "copy or export the slide again"
            ) from error

    def _describe(self) -> tuple[list[tuple[int, int]], tuple[float, float] | None, dict[str, str]]:
        slide, pyramid = self.handle().slide, self.handle().pyramid
        size = slide.level_dimensions[0]
        if pyramid is not None and pyramid.levels[0].size != size:
            problem = f"OpenSlide reads a picture of {size[0]} x {size[1]} px, which is not the file's largest"
            raise UnsupportedLayout(self.path, problem, "read it with the backend tifffile")
        # A key that is not UTF-8 (in an Aperio description) is listed but not found: it is left out.
        told = {key: slide.properties.get(key) for key in slide.properties}
        properties = {key: value for key, value in told.items() if value is not None}
        properties |= {key: pyramid.properties[key] for key in (PICTURES,) if pyramid and key in pyramid.properties}
        spacing = [properties.get(f"openslide.mpp-{axis}") for axis in "xy"]
        mpp = (float(spacing[0]), float(spacing[1])) if spacing[0] and spacing[1] else None
        return list(slide.level_dimensions), mpp, properties

    def _read(self, corners: np.ndarray, level: int, out: np.ndarray) -> None:
        self.handle().check_tiles(corners, self.level_dimensions[level], (out.shape[2], out.shape[1]))
        # Row by row, so that OpenSlide's own cache of decoded tiles is of use.
        for row in np.lexsort((corners[:, 0], corners[:, 1])):
            self._read_one(int(corners[row, 0]), int(corners[row, 1]), level, out[row])

    def _read_one(self, x: int, y: int, level: int, out: np.ndarray) -> None:
        downsample = self.handle().slide.level_downsamples[level]
        margin = 0 if downsample == round(downsample) else SHIFT_MARGIN
        # OpenSlide rounds negative positions in its own way: what lies left of the slide or above it is left out.
        left, top = max(x - margin, 0), max(y - margin, 0)
        size = (x + out.shape[1] + margin - left, y + out.shape[0] + margin - top)
        out[:] = WHITE
        if min(size) <= margin:
            return
        location = (round(left * downsample), round(top * downsample))
        region = self._region(location, level, size)
        if margin:
            # Its interpolation cuts fractions of a grey level off: 0.2 on average.
            region = unshift(region + np.float32(0.2), location[0] / downsample - left, axis=1)
            region = unshift(region, location[1] / downsample - top, axis=0)
            region = np.clip(np.rint(region), 0, 255)
        inside = region[max(y, 0) - top : size[1] - margin, max(x, 0) - left : size[0] - margin]
        out[max(-y, 0) :, max(-x, 0) :] = inside

    def _region(self, location: tuple[int, int], level: int, size: tuple[int, int]) -> np.ndarray:
        import openslide

        try:
            return over_white(np.asarray(self.handle().slide.read_region(location, level, size)))
        except openslide.OpenSlideError as error:
            self.close()  # OpenSlide answers nothing but this error from now on
            raise InputError(
                self.path,
                f"OpenSlide cannot read {size[0]} x {size[1]} px at {location} of level {level}: {error}",
                "the file is damaged there; copy or export the slide again",
            ) from error


def unshift(region: np.ndarray, shift: float, axis: int) -> np.ndarray:
    """Undo a shift by a fraction of a pixel that was made with linear interpolation.

    OpenSlide takes whole level-0 px. Where a level's downsample is no whole number they fall between the level's px, and
    OpenSlide interpolates: `region[i] = (1 - shift) * pixel[i] + shift * pixel[i + 1]` (for a negative shift with
    `pixel[i - 1]`). That softens the tile, by another amount for every tile. Solved for `pixel` from the far end, an error
    there dies away by shift / (1 - shift) with every px: a third for the largest shift, a quarter px.

    Args:
        region: the interpolated pixels, uint8 or float32 [h, w, 3].
        shift: how far they lie to the right of (or below) the level's pixels, -0.25 to 0.25 px.
        axis: 0 for down, 1 for across.

    Returns:
        float32 [h, w, 3]; the last few px on the side that the shift points to are not exact.
    """
    from scipy.signal import lfilter

    weight = abs(shift)
    mixed = np.asarray(region, np.float32)
    if weight < 1e-6:
        return mixed
    mixed = np.flip(mixed, axis) if shift > 0 else mixed
    # Start as if the first pixel went on outside.
    edge = np.take(mixed, [0], axis) * np.float32(-weight / (1 - weight))
    gain = np.array([1 / (1 - weight)], np.float32)
    feedback = np.array([1, weight / (1 - weight)], np.float32)
    pixels, _ = lfilter(gain, feedback, mixed, axis=axis, zi=edge)
    return np.flip(pixels, axis) if shift > 0 else pixels
