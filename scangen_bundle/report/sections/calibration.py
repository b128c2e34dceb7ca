"""Can the probabilities be taken at their word, scanner by scanner?"""

from __future__ import annotations

import pandas as pd

from scangen_bundle.measures.calibration import FIGURES
from scangen_bundle.report.curves import reliability
from scangen_bundle.report.figures import reliability_figure
from scangen_bundle.report.page import Group, Panel, Section, drawn, undefined, unique_keys
from scangen_bundle.report.sections.context import Context
from scangen_bundle.report.sections.figures_table import figures_table, scanner_rows


def reliability_group(context: Context, class_name: str, view: pd.DataFrame) -> Group:
    """A panel per scanner."""
    keys = unique_keys([f"reliability-{class_name}-{scanner}" for scanner in context.scanners])
    panels: list[Panel] = []
    for scanner in context.scanners:
        key, title = keys[f"reliability-{class_name}-{scanner}"], f"Reliability, {context.name(scanner)}"
        scans = view[view["scanner"] == scanner]
        if scans.empty:
            panels.append(undefined(key, title, "No labelled scan with a finite score."))
            continue
        points = reliability(scans["positive"], scans["score"])
        figure = reliability_figure(points, scans["score"].to_numpy(), context.styles[scanner])
        panels.append(drawn(key, title, f"Reliability curve of {scanner} with Wilson intervals", figure))
    return Group(
        f"Reliability curves, {class_name}",
        panels,
        "On the dashed line, a probability of 0.7 means that 7 of 10 such scans are positive. Bins hold equally many "
        "scans; bars are 95 % Wilson intervals; the histogram at the foot shows where the probabilities lie.",
    )


def calibration_section(context: Context) -> Section:
    """Figures per scanner, then the reliability curves of each class."""
    table = figures_table(
        context,
        "calibration-figures",
        "Calibration per scanner",
        FIGURES,
        scanner_rows(context),
        [
            "Second line: 95 % confidence interval. ECE is biased upwards in small samples, in resamples once more, so its "
            "interval may lie above it: compare scanners with similar numbers of scans."
        ],
    )
    groups = [reliability_group(context, name, view) for name, view in context.views.items()]
    return Section("calibration", "Calibration", [table, *groups])
