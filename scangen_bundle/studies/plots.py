"""Plots of a study: accuracy against agreement, and differences to a reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from scangen_bundle.files import write_atomically
from scangen_bundle.report.figures import estimates_figure, pareto_figure
from scangen_bundle.report.style import PARAMETERS
from scangen_bundle.statistics.estimate import Estimate
from scangen_bundle.studies.table import Row

AUROC_KEYS = ("auroc/mean_unseen", "auroc/mean")  # the first that the rows have
FLIPS = "flip_rate"


def accuracy_key(rows: Sequence[Row]) -> str:
    """AUROC on scanners never seen where there are such, else the mean over scanners."""
    return next(key for key in AUROC_KEYS if any(key in row.estimates for row in rows) or key == AUROC_KEYS[-1])


def plane_figure(rows: Sequence[Row]) -> Figure | None:
    """Each row as a point: AUROC to the right, specimens that keep their class upwards; None where no row has both."""
    key = accuracy_key(rows)
    points = {}
    for row in rows:
        accuracy, flips = row.estimates.get(key, Estimate()), row.estimates.get(FLIPS, Estimate())
        if accuracy.has_value and flips.has_value:
            points[row.label] = (accuracy.value, 1 - flips.value)
    if not points:
        return None
    where = "scanners never seen" if key == AUROC_KEYS[0] else "mean over scanners"
    return pareto_figure(points, f"AUROC, {where}", "specimens that keep their class")


def differences_figure(rows: Sequence[Row], key: str, reference: str, label: str) -> Figure | None:
    """Each row's difference to the reference with its interval; None where no row was compared."""
    compared = {row.label: row.against.get(reference, {}).get(key) for row in rows}
    differences = {name: found.comparison.difference for name, found in compared.items() if found is not None}
    if not differences:
        return None
    return estimates_figure(list(differences), {label: list(differences.values())}, label, reference=0.0)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as `<path>.svg` and `<path>.pdf`, the same bytes every time."""
    for suffix, canvas, metadata in (
        (".svg", FigureCanvasSVG, {"Date": None}),
        (".pdf", FigureCanvasPdf, {"CreationDate": None}),
    ):
        canvas(figure)
        with (
            rc_context({**PARAMETERS, "svg.hashsalt": path.name}),
            write_atomically(path.with_suffix(suffix)) as temporary,
        ):
            figure.savefig(temporary, format=suffix[1:], facecolor="white", metadata=metadata)
