"""Figures of the leaderboard: the Pareto front, heatmaps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

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


def pair_heatmap(pairs: Mapping[str, float | None]) -> Figure:
    """A number for each pair `a | b` of scanners, 0 to 1 from pale to dark; None is blank."""
    names = list(dict.fromkeys(name for pair in pairs for name in pair.split(" | ")))
    table = np.full((len(names), len(names)), np.nan)
    for pair, value in pairs.items():
        a, b = (names.index(name) for name in pair.split(" | "))
        table[a, b] = table[b, a] = math.nan if value is None else value
    return heatmap(table, names, names)


def heatmap(table: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> Figure:
    """Numbers [rows, columns], from pale to dark over 0 to 1 or, where they leave it, over their range; NaN is blank."""
    known = table[np.isfinite(table)]
    low, high = min(0.0, known.min(initial=0.0)), max(1.0, known.max(initial=1.0))
    figure, axes = new_axes(1.9 + 0.48 * len(columns), 1.3 + 0.48 * len(rows))
    axes.imshow(np.ma.masked_invalid(table), cmap="Blues", vmin=low, vmax=high)
    for (row, column), value in np.ndenumerate(table):
        if math.isfinite(value):
            colour = "#ffffff" if value > low + 0.6 * (high - low) else "#101214"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.grid(visible=False)
    return figure
