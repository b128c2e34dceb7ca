"""Our readers where MONAI takes a whole-slide reader: `LoadImage(reader=...)`, `PatchWSIDataset(reader=...)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from monai.config import DtypeLike, PathLike
from monai.data import BaseWSIReader
from monai.utils import ensure_tuple

from scangen_bundle.slides.open import open_slide
from scangen_bundle.slides.reader import SlideReader


class SlideImageReader(BaseWSIReader):
    """A MONAI whole-slide reader on top of `open_slide`.

    It keeps MONAI's conventions: sizes and locations are (height, width) and (top, left), images are channel-first, and a
    requested `mpp` has to be that of a level to within `mpp_rtol` (use `TileReader` for exact resolution). Unlike MONAI's
    own readers it fills white outside the slide, and has no mpp where the file says none.

    Args:
        backend: reader backend as for `open_slide`.
        level: level to read by default.
        kwargs: the other arguments of `monai.data.BaseWSIReader`, such as mpp, mpp_rtol, channel_dim, dtype, device.
    """

    supported_suffixes = ["svs", "tif", "tiff", "ndpi", "mrxs", "scn", "bif", "dcm", "czi", "vms", "vmu", "svslide"]  # noqa: RUF012

    def __init__(self, backend: str = "auto", level: int | None = None, **kwargs: Any) -> None:
        super().__init__(level=level, **kwargs)
        self.backend = backend

    def read(self, data: Sequence[PathLike] | PathLike | np.ndarray, **kwargs: Any) -> SlideReader | list[SlideReader]:
        """Open one slide, or a list of them.

        Raises:
            InputError: as `open_slide`.
        """
        slides = [open_slide(path, self.backend) for path in ensure_tuple(data)]
        return slides if len(slides) > 1 else slides[0]

    def get_size(self, wsi: SlideReader, level: int) -> tuple[int, int]:
        """(height, width) of a level."""
        width, height = wsi.level_dimensions[level]
        return height, width

    def get_level_count(self, wsi: SlideReader) -> int:
        """Number of levels."""
        return len(wsi.level_dimensions)

    def get_downsample_ratio(self, wsi: SlideReader, level: int) -> float:
        """Downsample of a level, the mean over both axes."""
        return float(np.mean(wsi.level_downsamples[level]))

    def get_file_path(self, wsi: SlideReader) -> str:
        """The slide's absolute path."""
        return str(wsi.path.absolute())

    def get_mpp(self, wsi: SlideReader, level: int) -> tuple[float, float]:
        """(y, x) resolution of a level in µm/px.

        Raises:
            ValueError: the file does not say its resolution.
        """
        if wsi.mpp is None:
            raise ValueError(f"{wsi.path}: the file does not say its resolution (no mpp); use `level` instead")
        x, y = wsi.level_downsamples[level]
        return wsi.mpp[1] * y, wsi.mpp[0] * x

    def get_power(self, wsi: SlideReader, level: int) -> float:
        """Objective power of a level.

        Raises:
            ValueError: the file does not say it.
        """
        stated = wsi.properties.get("openslide.objective-power") or wsi.properties.get("aperio.AppMag")
        if stated is None:
            raise ValueError(f"{wsi.path}: the file does not say its objective power; use `level` or `mpp` instead")
        return float(stated) / self.get_downsample_ratio(wsi, level)

    def _get_patch(
        self,
        wsi: SlideReader,
        location: tuple[int, int],
        size: tuple[int, int],
        level: int,
        dtype: DtypeLike,
        mode: str,
    ) -> np.ndarray:
        """The patch as [3, H, W] (or with the channels in `channel_dim`)."""
        if mode != "RGB":
            raise ValueError(f"mode {mode!r}: this reader gives RGB only")
        patch = wsi.read_region(int(location[1]), int(location[0]), level, int(size[1]), int(size[0]))
        return np.moveaxis(patch, -1, self.channel_dim).astype(dtype, copy=False)
