"""Can the scores tell the classes apart, scanner by scanner?"""

from __future__ import annotations

import pandas as pd

from scangen_bundle.measures.prediction_measure import DISCRIMINATION
from scangen_bundle.report.curves import RocBand, roc_band
from scangen_bundle.report.estimates import estimate, text
from scangen_bundle.report.figures import roc_figure
from scangen_bundle.report.page import Group, Panel, Section, drawn, undefined, unique_keys
from scangen_bundle.report.sections.context import Context
from scangen_bundle.report.sections.figures_table import group_tables


def roc_group(context: Context, class_name: str, view: pd.DataFrame) -> Group:
    """A panel per scanner."""
    keys = unique_keys([f"roc-{class_name}-{scanner}" for scanner in context.drawn_scanners])
    bands: dict[str, RocBand] = {}
    for scanner in context.drawn_scanners:
        scans = view[view["scanner"] == scanner]
        if scans["positive"].nunique() == 2:
            bands[scanner] = roc_band(scans["positive"], scans["score"], scans["patient_id"], seed=context.seed)
    panels: list[Panel] = []
    for scanner in context.drawn_scanners:
        key, title = keys[f"roc-{class_name}-{scanner}"], f"ROC, {context.name(scanner)}"
        scans = view[view["scanner"] == scanner]
        if scanner not in bands:
            panels.append(undefined(key, title, one_class_reason(scans, class_name)))
            continue
        positives = int(scans["positive"].sum())
        # metrics.json has the mean over classes only, which is not the AUROC of this curve
        value = text(estimate(context.metrics, f"auroc/{scanner}")).replace(", exact", ",\nexact")
        auroc = "" if context.threshold is None else f"AUROC {value}\n"
        if bands[scanner].low.min() == 1:
            auroc += "no band: perfect in every resample\n"
        figure = roc_figure(
            bands[scanner],
            context.styles[scanner],
            [band for name, band in bands.items() if name != scanner],
            note=f"{auroc}{positives} positive, {len(scans) - positives} negative scans",
        )
        panels.append(drawn(key, title, f"ROC curve of {scanner} with its 95 % band", figure))
    return Group(
        f"ROC curves, {class_name}",
        panels,
        "Sensitivity over 1 - specificity; the closer to the upper left corner, the better. The band holds 95 % of "
        "bootstrap resamples of patients at each point. Grey: the other scanners. Dashed: chance." + context.drawn_note,
    )


def one_class_reason(scans: pd.DataFrame, class_name: str) -> str:
    """Why a scanner has no ROC curve."""
    if scans.empty:
        return "No labelled scan with a finite score."
    which = "positive" if scans["positive"].iloc[0] else "negative"
    return f"All {len(scans)} scans are {which} for {class_name}; telling classes apart needs both."


def discrimination_section(context: Context) -> Section:
    """Metrics per scanner, then the ROC curves of each class."""
    threshold = "" if context.threshold is None else f" at the threshold {context.threshold:.3f}"
    notes = [
        "With more than two classes: mean over classes, each against the rest.",
        "metrics.json has the BCa interval of every value as well, and DeLong's of the AUROC of two classes.",
    ]
    tables = group_tables(context, DISCRIMINATION, f"Discrimination per scanner{threshold}", notes)
    groups = [roc_group(context, name, view) for name, view in context.views.items()]
    return Section("discrimination", "Discrimination", [*tables, *groups])
