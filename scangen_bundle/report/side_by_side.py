"""One specimen's heatmaps on all its scanners, at one physical scale and one colour scale."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.files import write_atomically
from scangen_bundle.report.heatmap import PNG_LEVEL, Heatmap, draw_heatmap, draw_scale, scale_top

COLUMNS = 4


def write_side_by_side(
    scans: Mapping[str, tuple[Heatmap, np.ndarray | None]], path: str | os.PathLike[str], title: str
) -> None:
    """Write a PNG with a panel per scan.

    All panels span the same millimetres and share their colours, so what differs is the scanner (and where on the glass its
    scan begins).

    Args:
        scans: heatmap and thumbnail (None: white) by the panel's title.
        path: of the PNG.
        title: above the panels.

    Raises:
        ValueError: no scan.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from scangen_bundle.report.style import without_formulas

    if not scans:
        raise ValueError("expected at least one scan")
    top = max(scale_top(heatmap) for heatmap, _ in scans.values())
    sizes = [heatmap.size_mm for heatmap, _ in scans.values()]
    wide, high = max(size[0] for size in sizes), max(size[1] for size in sizes)
    columns = min(COLUMNS, len(scans))
    rows = -(-len(scans) // columns)
    panel = float(np.clip(high / wide, 0.4, 2.0)) * 3.4 + 0.5
    across, down = 3.4 * columns + 1.4, panel * rows + 0.9
    figure = Figure(figsize=(across, down))
    FigureCanvasAgg(figure)
    figure.suptitle(title, y=1 - 0.1 / down, verticalalignment="top")
    places = {"left": 0.5 / across, "right": 1 - 1.2 / across, "bottom": 0.65 / down, "top": 1 - 0.7 / down}
    grid = figure.subplots(rows, columns, squeeze=False, gridspec_kw={**places, "wspace": 0.2, "hspace": 0.3})
    for axes in grid.ravel()[len(scans) :]:
        axes.set_axis_off()
    for axes, (name, (heatmap, thumbnail)) in zip(grid.ravel(), scans.items(), strict=False):
        draw_heatmap(axes, heatmap, thumbnail, top)
        axes.set(title=name, xlim=(0, wide), ylim=(high, 0), xlabel="mm", aspect="equal")
    draw_scale(figure, (1 - 0.95 / across, 0.15, 0.2 / across, 0.7), (heatmap for heatmap, _ in scans.values()), top)
    figure.supxlabel(RESEARCH_USE_ONLY, fontsize=7, y=0.06 / down)
    without_formulas(figure)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=120, pil_kwargs={"compress_level": PNG_LEVEL})
