"""Training curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from scangen_bundle.report.style import COLOURS, DASHES, MARKERS, new_axes


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
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    finite = history[list(columns)].to_numpy(dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if len(finite) and finite.min() >= 0 and finite.max() <= 1:
        axes.set(ylim=(min(0.4, finite.min() - 0.02), 1.02))
    figure.legend(loc="outside lower center", ncols=2, handletextpad=0.4, columnspacing=1.0)
    return figure
