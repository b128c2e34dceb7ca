"""Attention over a slide: as a raster, as a NIfTI file with its physical size, and as a picture over the thumbnail."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PNG_LEVEL = 3  # half the time of Pillow's default for a tenth more bytes


@dataclass(frozen=True)
class Heatmap:
    """Relative attention on a regular raster over the whole slide.

    Attributes:
        values: [h, w] float32, attention times the number of tiles (1 = what every tile would get if all were equal), NaN
            where there is no tile.
        pixel_level0: width and height of one raster pixel in level-0 px.
        mpp: width and height of one level-0 px in µm.
    """

    values: np.ndarray
    pixel_level0: tuple[float, float]
    mpp: tuple[float, float]

    @property
    def pixel_um(self) -> tuple[float, float]:
        return self.pixel_level0[0] * self.mpp[0], self.pixel_level0[1] * self.mpp[1]

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height of the raster."""
        height, width = self.values.shape
        return width * self.pixel_um[0] / 1000, height * self.pixel_um[1] / 1000


def attention_heatmap(
    coords: np.ndarray,
    attention: np.ndarray,
    tile_level0: tuple[float, float],
    slide_size: tuple[int, int],
    mpp: tuple[float, float],
    pixels_per_tile: int = 4,
) -> Heatmap:
    """Paint each tile's attention over its area; where tiles overlap, the mean of theirs.

    Args:
        coords: [N, 2] level-0 px of the tiles' top-left corners (x, y).
        attention: [N] weights that sum to 1.
        tile_level0: width and height of a tile in level-0 px.
        slide_size: width and height of the slide in level-0 px.
        mpp: width and height of a level-0 px in µm.
        pixels_per_tile: raster pixels along a tile's side.
    """
    if len(coords) != len(attention):
        raise ValueError(f"expected one weight per tile, got {len(coords)} tiles and {len(attention)} weights")
    pixel = tile_level0[0] / pixels_per_tile, tile_level0[1] / pixels_per_tile
    width, height = (int(np.ceil(size / side)) for size, side in zip(slide_size, pixel, strict=True))
    # A tile adds its weight at its first corner and takes it back past its end: the double cumulative sum then
    # fills its rectangle, at a cost that does not depend on the tile's size.
    first = np.rint(np.asarray(coords, dtype=np.float64) / pixel).astype(np.int64)
    first = np.clip(first, 0, [width - 1, height - 1])
    last = np.minimum(first + pixels_per_tile, [width, height])
    total = np.zeros((2, height + 1, width + 1))
    for layer, amount in enumerate((np.asarray(attention, dtype=np.float64) * len(coords), np.ones(len(coords)))):
        for x, y, sign in ((first, first, 1), (last, first, -1), (first, last, -1), (last, last, 1)):
            np.add.at(total[layer], (y[:, 1], x[:, 0]), sign * amount)
    painted, cover = total.cumsum(axis=1).cumsum(axis=2)[:, :height, :width]
    cover = np.rint(cover)
    values = np.full((height, width), np.nan, dtype=np.float32)
    np.divide(painted, cover, out=values, where=cover > 0, casting="unsafe")
    return Heatmap(values, pixel, mpp)


def nifti_bytes(heatmap: Heatmap) -> bytes:
    """The raster as a gzipped NIfTI file, [w, h, 1] float32 with its size in mm in the affine; tiles' gaps are 0.

    The affine is diag(-x, -y, thickness): NIfTI's axes point right and anterior, a slide's right and down, so that viewers
    built on ITK (3D Slicer) show the slide upright at physical position (x, y) mm. Equal rasters give equal bytes.
    """
    import nibabel

    x, y = (um / 1000 for um in heatmap.pixel_um)
    volume = np.nan_to_num(heatmap.values).T[:, :, None].astype(np.float32)
    image = nibabel.Nifti1Image(volume, np.diag([-x, -y, min(x, y), 1.0]))
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = b"relative attention, research use only"
    return gzip.compress(image.to_bytes(), mtime=0)


def scale_top(heatmap: Heatmap) -> float:
    """The attention at the top of the colour scale: the 99th percentile, at least 2, so that an average tile is not bright."""
    known = heatmap.values[np.isfinite(heatmap.values)]
    return max(2.0, float(np.percentile(known, 99))) if len(known) else 2.0


def scale_end(heatmaps: Iterable[Heatmap], top: float) -> Literal["max", "neither"]:
    """How a colour bar ends at `top`: with a point where a tile has more attention than that."""
    return "max" if any((heatmap.values > top).any() for heatmap in heatmaps) else "neither"


def overlay(heatmap: Heatmap, thumbnail: np.ndarray, top: float) -> np.ndarray:
    """Blend the heatmap, half opaque, over a thumbnail of the whole slide.

    Args:
        heatmap: the raster.
        thumbnail: [h, w, 3] uint8 of the whole slide.
        top: attention at the top of the colour scale.

    Returns:
        [h, w, 3] uint8
    """
    from matplotlib import colormaps
    from PIL import Image

    colours = colormaps["viridis"](np.clip(np.nan_to_num(heatmap.values) / top, 0, 1))
    colours[..., 3] = np.where(np.isfinite(heatmap.values), 0.5, 0.0)
    layer = Image.fromarray((colours * 255).astype(np.uint8), "RGBA")
    layer = layer.resize(thumbnail.shape[1::-1], Image.Resampling.NEAREST)
    blended = Image.alpha_composite(Image.fromarray(thumbnail).convert("RGBA"), layer)
    return np.asarray(blended.convert("RGB"))


def draw_heatmap(axes: Axes, heatmap: Heatmap, thumbnail: np.ndarray | None, top: float) -> None:
    """Draw the overlay in mm; on white where there is no thumbnail. The other arguments are `overlay`'s."""
    if thumbnail is None:
        thumbnail = np.full((*heatmap.values.shape, 3), 255, dtype=np.uint8)
    width, height = heatmap.size_mm
    axes.imshow(overlay(heatmap, thumbnail, top), extent=(0, width, height, 0), interpolation="nearest")


def draw_scale(
    figure: Figure, place: tuple[float, float, float, float], heatmaps: Iterable[Heatmap], top: float
) -> None:
    """Draw the colour bar of some heatmaps at (left, bottom, width, height) in shares of the figure."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    colours = ScalarMappable(Normalize(0, top), "viridis")
    end = scale_end(heatmaps, top)
    figure.colorbar(colours, cax=figure.add_axes(place), label="attention (1 = average tile)", extend=end)


def write_overlay(heatmap: Heatmap, thumbnail: np.ndarray | None, path: str | os.PathLike[str], title: str) -> None:
    """Write the overlay as a PNG with title, colour bar and a scale bar in mm; on white where there is no thumbnail."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from scangen_bundle.report.style import without_formulas

    top, (wide_mm, high_mm) = scale_top(heatmap), heatmap.size_mm
    # A fixed layout: matplotlib's own draws everything several times to find one, and this is done for every slide.
    wide, high = 7.2, 7.2 * min(2.0, high_mm / wide_mm)
    across, down = wide + 2.0, high + 1.2
    figure = Figure(figsize=(across, down))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.7 / across, 0.75 / down, wide / across, high / down))
    draw_heatmap(axes, heatmap, thumbnail, top)
    axes.set(title=title, xlabel="mm", ylabel="mm")
    bar = (wide + 0.9) / across, (0.75 + 0.15 * high) / down, 0.2 / across, 0.7 * high / down
    draw_scale(figure, bar, [heatmap], top)
    figure.text(0.01, 0.005, RESEARCH_USE_ONLY, fontsize=7, color="0.4")
    without_formulas(figure)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=120, pil_kwargs={"compress_level": PNG_LEVEL})
