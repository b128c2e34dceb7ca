"""How far the scores of one specimen agree between its scanners."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scangen_bundle.report.curves import bland_altman
from scangen_bundle.report.style import (
    COLOURS,
    INK,
    MANY_POINTS,
    MARKERS,
    MUTED,
    PageFigure,
    legend_below,
    legend_label,
    new_axes,
)

# More specimens than these are a solid block: a seeded sample is drawn, lines and limits are of all.
LINES = 300
POINTS = 1000


def _scatter_by_label(
    figure: PageFigure, axes: Axes, x: np.ndarray, y: np.ndarray, pairs: pd.DataFrame, class_names: Sequence[str]
) -> None:
    label, names = pairs["label"].to_numpy(), pairs.index.astype(str)
    shown = np.zeros(len(label), dtype=bool)
    shown[np.random.default_rng(0).permutation(len(label))[:POINTS]] = True
    for value, name in enumerate(class_names):
        mine = shown & (label == value)
        if mine.any():
            points = axes.scatter(
                x[mine],
                y[mine],
                s=22 if mine.sum() < 200 else 9,
                marker=MARKERS[value % len(MARKERS)],
                facecolors="none" if value == 0 else COLOURS[value % len(COLOURS)],
                edgecolors=COLOURS[value % len(COLOURS)],
                linewidths=1.0,
                alpha=0.8,
                label=legend_label(name),
                rasterized=shown.sum() > MANY_POINTS,
            )
            titles = [f"{n}: {a:.3f}, {b:.3f}" for n, a, b in zip(names[mine], x[mine], y[mine], strict=True)]
            figure.name_points(points, titles)


def score_scatter(
    pairs: pd.DataFrame,
    names: tuple[str, str],
    class_names: Sequence[str],
    threshold: float | None = None,
    quantity: str = "score",
) -> Figure:
    """One point per specimen: its score on the first scanner (or with the first model) beside that on the second.

    Args:
        pairs: `first`, `second` (scores 0 to 1) and `label`, one row per specimen, indexed by its name.
        names: of the two scanners.
        class_names: of the labels.
        quantity: what the score is called.
        threshold: dotted lines; a point in the upper left or lower right part changes its class with the scanner.
    """
    figure, axes = new_axes(height=3.6)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
    if threshold is not None:
        axes.axvline(threshold, color=INK, linewidth=0.8, linestyle=":")
        axes.axhline(threshold, color=INK, linewidth=0.8, linestyle=":")
    first, second = pairs["first"].to_numpy(), pairs["second"].to_numpy()
    _scatter_by_label(figure, axes, first, second, pairs, class_names)
    axes.set(
        xlabel=f"{quantity}, {names[0]}",
        ylabel=f"{quantity}, {names[1]}",
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        aspect="equal",
    )
    legend_below(figure)
    return figure


def bland_altman_figure(pairs: pd.DataFrame, names: tuple[str, str], class_names: Sequence[str]) -> Figure:
    """Difference over mean of the paired scores, with bias and limits of agreement.

    Args:
        pairs: `first`, `second` and `label`, one row per specimen, indexed by its name.
        names: of the two scanners.
        class_names: of the labels.
    """
    figure, axes = new_axes(height=3.6)
    points = bland_altman(pairs["first"], pairs["second"])
    axes.axhline(0, color=MUTED, linewidth=0.8)
    largest = max([0.1, *np.abs(points.difference), *(abs(v) for v in (points.lower, points.upper) if np.isfinite(v))])
    gap = 0.28 * largest  # the height of a label, so that those of narrow limits stand clear of each other
    for value, dash, name, place in (
        (points.bias, "-", "bias", points.bias),
        (points.lower, "--", "lower", min(points.lower, points.bias - gap)),
        (points.upper, "--", "upper", max(points.upper, points.bias + gap)),
    ):
        if np.isfinite(value):
            axes.axhline(value, color=INK, linewidth=1.0, linestyle=dash)
            axes.annotate(
                f"{name}\n{value:+.3f}",
                (1.02, place),
                xycoords=("axes fraction", "data"),
                annotation_clip=False,
                va="center",
                fontsize=7.5,
                color=INK,
            )
    _scatter_by_label(figure, axes, points.mean, points.difference, pairs, class_names)
    axes.set(
        xlabel="mean of the two scores",
        ylabel=f"{names[0]} minus {names[1]}",
        xlim=(-0.02, 1.02),
        ylim=(-1.15 * largest, 1.15 * largest),
    )
    legend_below(figure)
    return figure


def specimen_lines(
    scores: pd.DataFrame, title: str, colour: str, threshold: float | None = None, seed: int = 0
) -> Figure:
    """A line per specimen through its scores on each scanner: level lines mean agreement.

    Args:
        scores: rows are specimens, columns scanners in the order drawn; NaN where a specimen was not scanned.
        title: such as the name of the class.
        colour: of the lines.
        threshold: dotted line.
        seed: of the sample that is drawn where specimens are many.
    """
    figure, axes = new_axes(height=3.6)
    shown = scores if len(scores) <= LINES else scores.sample(LINES, random_state=seed)
    x = np.arange(scores.shape[1])
    lines = axes.plot(
        x,
        shown.to_numpy().T,
        color=colour,
        alpha=float(np.clip(18 / max(len(shown), 1), 0.2, 0.6)),
        linewidth=0.9,
        marker="o",
        markersize=2.5,
        rasterized=shown.size > MANY_POINTS,
    )
    for line, (name, values) in zip(lines, shown.iterrows(), strict=True):
        figure.name_points(line, [f"{name}: {values.min():.3f} to {values.max():.3f}"])
    axes.plot(x, scores.mean(), color=INK, linewidth=2, marker="D", markersize=5, label="mean")
    if threshold is not None:
        axes.axhline(threshold, color=INK, linewidth=0.8, linestyle=":", label="threshold")
    crowded = sum(len(str(name)) for name in scores.columns) > 30
    axes.set_xticks(x, list(scores.columns), rotation=25 if crowded else 0, ha="right" if crowded else "center")
    sample = f", {LINES} drawn" if len(shown) < len(scores) else ""
    axes.set(
        title=f"{title} ({len(scores)} specimens{sample})",
        ylabel="score",
        ylim=(-0.02, 1.02),
        xlim=(-0.25, len(x) - 0.75),
    )
    legend_below(figure)
    return figure
