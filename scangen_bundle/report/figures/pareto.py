"""A plane of two qualities with its Pareto front."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from scangen_bundle.report.style import COLOURS, MARKERS, MUTED, new_axes


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Names of the points (x, y) that no other one exceeds in one axis and equals or exceeds in the other, by x."""
    front = [
        name
        for name, (x, y) in points.items()
        if not any(u >= x and v >= y and (u > x or v > y) for u, v in points.values())
    ]
    return sorted(front, key=lambda name: points[name])


def pareto_figure(
    points: Mapping[str, tuple[float, float]],
    x_name: str,
    y_name: str,
    baseline: tuple[float, float] = (math.nan, math.nan),
) -> Figure:
    """Scatter with names; the Pareto front is a line, with rings around its points; baselines (x, y) are dotted."""
    figure, axes = new_axes(5.0, 3.8)
    front = pareto_front(points)
    for draw, at in zip((axes.axvline, axes.axhline), baseline, strict=True):
        if math.isfinite(at):
            draw(at, color=MUTED, linewidth=0.9, linestyle=":", zorder=0)
    axes.plot([points[n][0] for n in front], [points[n][1] for n in front], color=MUTED, linewidth=1.0, zorder=1)
    for i, (name, (x, y)) in enumerate(points.items()):
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        axes.scatter(x, y, s=36, color=colour, marker=marker, zorder=2)
        if name in front:
            axes.scatter(x, y, s=130, facecolors="none", edgecolors=MUTED, linewidths=1.0, zorder=1)
        right = x > np.mean([at for at, _ in points.values()])
        offset, side = ((-8, 7), "right") if right else ((8, 7), "left")
        axes.annotate(name, (x, y), xytext=offset, textcoords="offset points", ha=side, fontsize=8)
    axes.margins(0.2)
    axes.set(xlabel=x_name, ylabel=y_name)
    return figure
