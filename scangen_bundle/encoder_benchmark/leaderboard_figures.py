"""Figures of the leaderboard: heatmaps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from scangen_bundle.report.style import new_axes


def pair_heatmap(pairs: Mapping[str, float | None]) -> Figure:
    """A number for each pair `a | b` of scanners, 0 to 1 from pale to dark; None is blank."""
    names = list(dict.fromkeys(name for pair in pairs for name in pair.split(" | ")))
    table = pd.DataFrame(np.nan, index=names, columns=names)
    for pair, value in pairs.items():
        first, second = pair.split(" | ")
        table.loc[first, second] = table.loc[second, first] = math.nan if value is None else value
    return heatmap(table.to_numpy(), names, names)


def heatmap(table: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> Figure:
    """Numbers [rows, columns], from pale to dark over 0 to 1 or, where they leave it, over their range; NaN is blank."""
    defined = table[np.isfinite(table)]
    low = defined.min(initial=0.0)
    high = defined.max(initial=1.0)
    figure, axes = new_axes(1.9 + 0.48 * len(columns), 1.3 + 0.48 * len(rows))
    axes.imshow(np.ma.masked_invalid(table), cmap="Blues", vmin=low, vmax=high)
    for (row, column), value in np.ndenumerate(table):
        if math.isfinite(value):
            dark = value > low + 0.6 * (high - low)
            colour = "#ffffff" if dark else "#101214"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.grid(visible=False)
    return figure
