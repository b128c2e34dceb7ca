"""Numbers of rows and columns as a heatmap, such as one for each pair of scanners."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from scangen_bundle.report.style import new_axes

MOST_NUMBERS = 20  # rows or columns whose cells have room for a number
LARGEST = 9.0  # inches that the cells take together


def pair_heatmap(pairs: Mapping[str, float | None]) -> Figure:
    """A number for each pair `a | b` of scanners, 0 to 1 from pale to dark; None is blank."""
    names = list(dict.fromkeys(name for pair in pairs for name in pair.split(" | ")))
    table = pd.DataFrame(np.nan, index=names, columns=names)
    for pair, value in pairs.items():
        first, second = pair.split(" | ")
        table.loc[first, second] = table.loc[second, first] = math.nan if value is None else value
    return heatmap(table.to_numpy(), names, names)


def heatmap(table: np.ndarray, rows: Sequence[str], columns: Sequence[str], top: float = 1.0) -> Figure:
    """Numbers [rows, columns] from pale to dark; NaN is blank.

    Args:
        table: numbers; the colours go from 0 to `top`, or over the numbers' range where they leave it.
        rows: names, top to bottom.
        columns: names, left to right.
        top: the number that is dark.
    """
    defined = table[np.isfinite(table)]
    low = defined.min(initial=0.0)
    high = defined.max(initial=top)
    many = max(table.shape) > MOST_NUMBERS
    side = min(0.48, LARGEST / max(*table.shape, 1))
    figure, axes = new_axes(1.9 + side * len(columns), 1.3 + side * len(rows))
    axes.imshow(np.ma.masked_invalid(table), cmap="Blues", vmin=low, vmax=high)
    for (row, column), value in np.ndenumerate(np.full((0, 0), 0.0) if many else table):
        if math.isfinite(value):
            dark = value > low + 0.6 * (high - low)
            colour = "#ffffff" if dark else "#101214"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
    size = 8 if not many else max(4.0, 8 * 2 * MOST_NUMBERS / (MOST_NUMBERS + max(table.shape)))
    axes.set_xticks(range(len(columns)), columns, rotation=90 if many else 40, ha="right", fontsize=size)
    axes.set_yticks(range(len(rows)), rows, fontsize=size)
    axes.grid(visible=False)
    return figure
