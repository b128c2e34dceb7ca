"""Training curves."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from scangen_bundle.report.style import COLOURS, DASHES, MARKERS, legend_below, new_axes


def history_figure(history: pd.DataFrame, columns: Sequence[str], title: str) -> Figure:
    """Some metrics over the epochs.

    Args:
        history: indexed by epoch; NaN where a metric was not computed.
        columns: which of its columns.
        title: above the axes.
    """
    figure, axes = new_axes(height=3.4)
    for i, column in enumerate(columns):
        points = history[column].dropna()
        axes.plot(
            points.index,
            points,
            color=COLOURS[i % len(COLOURS)],
            linestyle=DASHES[i // len(COLOURS) % len(DASHES)],
            marker=MARKERS[i % len(MARKERS)],
            markersize=3.5,
            markevery=max(1, len(points) // 12),
            linewidth=1.5,
            label=column,
        )
    axes.set(title=title, xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    legend_below(figure)
    return figure
