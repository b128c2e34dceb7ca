"""Can the probabilities be taken at their word, scanner by scanner?"""

from __future__ import annotations

import pandas as pd

from scangen_bundle.measures.prediction_measure import CALIBRATION
from scangen_bundle.report.curves import reliability
from scangen_bundle.report.figures import reliability_figure
from scangen_bundle.report.page import Group, Panel, Section, drawn, undefined, unique_keys
from scangen_bundle.report.sections.context import Context
from scangen_bundle.report.sections.figures_table import group_tables


def reliability_group(context: Context, class_name: str, view: pd.DataFrame) -> Group:
    """A panel per scanner."""
    keys = unique_keys([f"reliability-{class_name}-{scanner}" for scanner in context.drawn_scanners])
    panels: list[Panel] = []
    for scanner in context.drawn_scanners:
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
        "scans; bars are 95 % Wilson intervals; the histogram at the foot shows where the probabilities lie."
        + context.drawn_note,
    )


def calibration_section(context: Context) -> Section:
    """Metrics per scanner, then the reliability curves of each class."""
    note = "ECE is biased upwards in small samples and has no interval: compare scanners with similar numbers of scans."
    tables = group_tables(context, CALIBRATION, "Calibration per scanner", [note])
    groups = [reliability_group(context, name, view) for name, view in context.views.items()]
    return Section("calibration", "Calibration", [*tables, *groups], folded=True)
