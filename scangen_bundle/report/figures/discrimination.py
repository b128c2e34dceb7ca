"""How well one scanner's scores tell the classes apart, and how far they can be taken at their word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from scangen_bundle.report.curves import Reliability, RocBand
from scangen_bundle.report.style import GRID, INK, MUTED, ScannerStyle, new_axes


def roc_figure(band: RocBand, style: ScannerStyle, others: Sequence[RocBand] = (), note: str = "") -> Figure:
    """One scanner's ROC curve with its band; the other scanners' curves thin behind it.

    Args:
        band: the scanner's curve.
        style: the scanner's.
        others: curves for comparison.
        note: written in the corner under the curve, such as the AUROC.
    """
    figure, axes = new_axes()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
    for other in others:
        axes.plot(*_visible(other), color=MUTED, linewidth=0.7, alpha=0.5)
    axes.fill_between(band.grid, band.low, band.high, color=style.colour, alpha=0.22, linewidth=0)
    axes.plot(*_visible(band), color=style.colour, linewidth=2, linestyle=style.dash)
    axes.text(0.98, 0.03, note, ha="right", va="bottom", color=INK, fontsize=8.5)
    axes.set(
        title=style.name,
        xlabel="1 - specificity",
        ylabel="sensitivity",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
        aspect="equal",
    )
    return figure


def _visible(band: RocBand) -> tuple[np.ndarray, np.ndarray]:
    """The curve without the corners that fall on the same one of 400 x 400 places as the one before."""
    place = np.rint(np.stack([band.false_positive_rate, band.true_positive_rate]) * 400)
    keep = np.append(True, np.any(np.diff(place, axis=1) != 0, axis=0))
    keep[-1] = True
    return band.false_positive_rate[keep], band.true_positive_rate[keep]


def reliability_figure(points: Reliability, probability: np.ndarray, style: ScannerStyle) -> Figure:
    """Observed over predicted frequency with Wilson intervals; along the foot, how the probabilities are distributed.

    Args:
        points: the bins.
        probability: all the scanner's probabilities [n].
        style: the scanner's.
    """
    figure, axes = new_axes()
    counts, edges = np.histogram(probability, bins=20, range=(0, 1))
    axes.bar(edges[:-1], 0.15 * counts / max(counts.max(), 1), width=0.05, align="edge", color=GRID, linewidth=0)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
    axes.vlines(points.predicted, points.low, points.high, color=style.colour, linewidth=1.2)
    axes.plot(
        points.predicted, points.observed, color=style.colour, linestyle=style.dash, marker=style.marker, markersize=5.5
    )
    axes.set(
        title=f"{style.name} ({len(probability)} scans)",
        xlabel="predicted probability",
        ylabel="observed share of positives",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
        aspect="equal",
    )
    return figure
