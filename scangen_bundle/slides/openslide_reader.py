"""Slides through OpenSlide: every format that it knows."""

from __future__ import annotations

from typing import Any

import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.slides.reader import PyramidReader, UnsupportedLayout, over_white


class OpenSlideReader(PyramidReader):
    """Read SVS, NDPI, MRXS, SCN, BIF, Philips TIFF, generic tiled TIFF, DICOM and Zeiss slides through OpenSlide 4.

    Args:
        path: the slide file.

    Raises:
        InputError: the file is missing, empty, no slide that OpenSlide knows, or damaged.
    """

    backend = "openslide"

    def _open(self) -> Any:
        import openslide

        try:
            return openslide.OpenSlide(str(self.path))
        except openslide.OpenSlideUnsupportedFormatError:
            raise UnsupportedLayout(
                self.path, "OpenSlide does not know this format", "give a whole-slide image, or export it as tiled TIFF"
            ) from None
        except openslide.OpenSlideError as error:
            raise InputError(
                self.path, f"OpenSlide cannot open it: {error}", "copy or export the slide again"
            ) from error

    def _describe(self) -> tuple[list[tuple[int, int]], tuple[float, float] | None, dict[str, str]]:
        slide = self.handle()
        properties = dict(slide.properties)
        spacing = [properties.get(f"openslide.mpp-{axis}") for axis in "xy"]
        mpp = (float(spacing[0]), float(spacing[1])) if spacing[0] and spacing[1] else None
        return list(slide.level_dimensions), mpp, properties

    def _read(self, corners: np.ndarray, level: int, out: np.ndarray) -> None:
        import openslide

        slide = self.handle()
        scale = slide.level_downsamples[level]
        height, width = out.shape[1:3]
        # Row by row, so that OpenSlide's own cache of decoded tiles is of use.
        for row in np.lexsort((corners[:, 0], corners[:, 1])):
            location = (round(int(corners[row, 0]) * scale), round(int(corners[row, 1]) * scale))
            try:
                region = slide.read_region(location, level, (width, height))
            except openslide.OpenSlideError as error:
                self.close()  # OpenSlide answers nothing but this error from now on
                raise InputError(
                    self.path,
                    f"OpenSlide cannot read {width} x {height} px at {location} of level {level}: {error}",
                    "the file is damaged there; copy or export the slide again",
                ) from error
            out[row] = over_white(np.asarray(region))
