"""Estimates with their confidence intervals, one row per scanner, one colour per model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from scangen_bundle.report.style import COLOURS, INK, MARKERS, MUTED, legend_below, legend_label, new_axes
from scangen_bundle.statistics.estimate import Estimate


def estimates_figure(
    rows: Sequence[str], models: Mapping[str, Sequence[Estimate]], label: str, reference: float | None = None
) -> Figure:
    """Points with horizontal intervals; an undefined one is written as such.

    Args:
        rows: names, top to bottom.
        models: for each model an estimate per row.
        label: of the x axis.
        reference: a vertical line, such as 0.5 for chance.
    """
    lines = sum(1 + name.count("\n") for name in rows)
    figure, axes = new_axes(3.7, 0.9 + max(0.32 * len(rows) * max(1.0, 0.55 * len(models)), 0.2 * lines))
    offsets = np.linspace(-0.2, 0.2, len(models)) if len(models) > 1 else [0.0]
    for i, (name, estimates) in enumerate(models.items()):
        y = np.arange(len(rows)) + offsets[i]
        value, low, high = np.array([(item.value, item.low, item.high) for item in estimates]).reshape(-1, 3).T
        axes.hlines(y, low, high, color=COLOURS[i % len(COLOURS)], linewidth=1.6)
        axes.plot(
            value,
            y,
            linestyle="",
            color=COLOURS[i % len(COLOURS)],
            marker=MARKERS[i % len(MARKERS)],
            markersize=6,
            label=legend_label(name),
        )
        for where in y[~np.isfinite(value)]:
            axes.annotate(
                "undefined", (0.01, where), xycoords=("axes fraction", "data"), va="center", fontsize=7.5, color=MUTED
            )
    if reference is not None:
        axes.axvline(reference, color=INK, linewidth=0.8, linestyle=":")
    axes.set_yticks(np.arange(len(rows)), list(rows))
    axes.set(xlabel=label, ylim=(len(rows) - 0.4, -0.6))
    axes.grid(visible=False, axis="y")
    if len(models) > 1:
        legend_below(figure)
    return figure
