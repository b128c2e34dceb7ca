"""The answer first: the headline table, and what it says in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scangen_bundle.report.estimates import Estimate, estimate
from scangen_bundle.report.figures import estimates_figure
from scangen_bundle.report.page import Cell, Column, Findings, Group, Row, Section, Table, drawn
from scangen_bundle.report.sections.context import Context
from scangen_bundle.report.table import headline_rows

HELP = {
    "auroc/mean": "unweighted mean of the scanners' AUROCs",
    "auroc/worst": "lowest AUROC of any scanner",
    "cov": "standard deviation over mean of one specimen's scores across scanners, mean over specimens",
    "flip_rate": "share of specimens whose predicted class changes with the scanner",
}


def headline_table_block(results: Mapping[str, Mapping[str, Any]]) -> Table:
    """The headline table as part of a page."""
    columns, rows = headline_rows(results)
    starred = any(title.endswith(" *") for title in columns.values())
    notes = ["AUROC per scanner; second line: 95 % confidence interval from resampled patients."]
    if starred:
        notes.append("* The network saw no slide of this scanner in training.")
    return Table(
        "headline",
        "AUROC per scanner, and agreement between scanners",
        [Column("model"), *(Column(title, HELP.get(key, "AUROC on this scanner")) for key, title in columns.items())],
        [Row([Cell(name), *(item.cell() for item in estimates)]) for name, estimates in rows.items()],
        notes,
    )


def headline_section(context: Context, model: str) -> Section:
    """Table, findings and a figure of the AUROCs."""
    scanners = [estimate(context.metrics, f"auroc/{scanner}") for scanner in context.scanners]
    rows = [*(context.name(scanner) for scanner in context.scanners), "mean of scanners"]
    figure = estimates_figure(
        rows,
        {model: [*scanners, estimate(context.metrics, "auroc/mean")]},
        "AUROC with 95 % confidence interval",
        reference=0.5,
    )
    panel = drawn("auroc", "AUROC per scanner", "AUROC of each scanner with its confidence interval", figure)
    return Section(
        "summary",
        "Summary",
        [
            headline_table_block({model: context.metrics}),
            Findings(findings(context)),
            Group("AUROC per scanner", [panel], "Dotted: guessing."),
        ],
    )


def findings(context: Context) -> list[str]:
    """What the figures say, for a reader who does not know them by name."""
    metrics = context.metrics
    mean, spread = estimate(metrics, "auroc/mean"), estimate(metrics, "auroc/range")
    result = [_data(context)]
    known = {name: estimate(metrics, f"auroc/{name}") for name in context.scanners}
    defined = {name: item for name, item in known.items() if np.isfinite(item.value)}
    if np.isfinite(mean.value):
        over = "scanners" if len(defined) == len(known) else f"the {len(defined)} scanners where it is defined"
        pair = "a positive scan scores higher than a negative one"
        if context.threshold is None:
            over, pair = f"{over} and classes", "a scan of a class scores higher for it than a scan of another class"
        result.append(
            f"Averaged over {over}, {pair} in {percent(mean.value)} of all pairs (AUROC {mean.text(2)}; guessing would give "
            f"{percent(0.5)})."
        )
    if len(defined) > 1 and len({item.value for item in defined.values()}) == 1:
        result.append(f"The AUROC is the same on all {len(defined)} scanners where it is defined.")
    elif len(defined) > 1:
        low = min(defined, key=lambda name: defined[name].value)
        high = max(defined, key=lambda name: defined[name].value)
        result.append(
            f"It works least well on {context.name(low)} (AUROC {defined[low].value:.2f}) and best on "
            f"{context.name(high)} ({defined[high].value:.2f}); the two differ by {spread.text(2)}."
        )
    result.extend(_agreement(estimate(metrics, "flip_rate"), estimate(metrics, "cov")))
    result.extend(
        f"The AUROC on {context.name(name)} is undefined: {item.reason}."
        for name, item in known.items()
        if not np.isfinite(item.value)
    )
    if context.unseen:
        names = ", ".join(name for name in context.scanners if name in context.unseen)
        if names:
            result.append(f"Not seen in training, so a test of a new scanner: {names} (marked *).")
    return result


def percent(share: float) -> str:
    """Such as `12 %`; `0.3 %` and `99.6 %`, since what is not nothing or all has to look so."""
    digits = next((digits for digits in range(6) if 0 < round(share, digits + 2) < 1), 0)
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def _data(context: Context) -> str:
    scans = context.predictions
    return (
        f"{len(scans):,} scans of {scans['specimen_id'].nunique():,} specimens from "
        f"{scans['patient_id'].nunique():,} patients on {len(context.scanners)} scanners were evaluated."
    )


def _agreement(flips: Estimate, cov: Estimate) -> list[str]:
    result = []
    if np.isfinite(flips.value):
        interval = f" (95 % CI {percent(flips.low)} to {percent(flips.high)})" if np.isfinite(flips.low) else ""
        result.append(
            f"{percent(flips.value)} of the specimens{interval} change their predicted class with the scanner."
        )
    if np.isfinite(cov.value):
        interval = f" (95 % CI {percent(cov.low)} to {percent(cov.high)})" if np.isfinite(cov.low) else ""
        result.append(f"One specimen's scores spread by {percent(cov.value)} of their mean between scanners{interval}.")
    return result
