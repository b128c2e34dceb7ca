"""One sentence at the top of the page: what to do, given these figures."""

from __future__ import annotations

import math

from scangen_bundle.measures.predictions import BETWEEN
from scangen_bundle.report.estimates import estimate
from scangen_bundle.report.sections.context import Context
from scangen_bundle.report.sections.headline import percent
from scangen_bundle.report.words import pair_scopes

WIDE_RANGE = 0.1  # AUROC between the best and the worst scanner that is worth a word


def advice(context: Context) -> str:
    """The most urgent thing that the figures say; the first that applies."""
    metrics = context.metrics
    if metrics["cohort"].get("alike"):
        return (
            "Do not read the agreement as a success: this network hardly tells specimens apart. Train it longer, or "
            "check labels and features, before comparing scanners."
        )
    auroc = estimate(metrics, "auroc/mean")
    if auroc.has_interval and auroc.low <= 0.5:
        return (
            "These patients do not show that the network tells the classes apart (the interval of the AUROC includes "
            "0.5): evaluate more patients before comparing scanners."
        )
    if len(context.scanners) < 2:
        return "Only one scanner was evaluated: scan the same glass on a second one to see whether the scanner matters."
    flips = estimate(metrics, "flip_rate")
    if flips.has_value and flips.value > 0:
        worst = _worst_pair(context)
        return (
            f"The scanner matters: {percent(flips.value)} of the specimens change their class with it{worst}. Look at "
            "those specimens first, then compare with a training by --method shrink, which needs no scans of a new scanner."
        )
    spread = estimate(metrics, "auroc/range")
    if spread.has_value and spread.value > WIDE_RANGE:
        return (
            f"No class changes, but the AUROC differs by {spread.value:.2f} between scanners: choose the threshold per "
            "scanner, or train with scans of the weakest one."
        )
    return (
        "On these patients the scanners agree on every class. Before relying on it, evaluate a scanner that the network "
        "did not see in training."
    )


def _worst_pair(context: Context) -> str:
    """Such as `, most often between A and B (12 %)`; "" where there are only two scanners."""
    rates = {}
    for scope in pair_scopes(context.metrics):
        rate = estimate(context.metrics, f"flip_rate/{scope}").value
        if not math.isnan(rate):
            rates[scope] = rate
    if len(rates) < 2:
        return ""
    scope = max(rates, key=rates.__getitem__)
    first, second = scope.split(BETWEEN)
    return f", most often between {context.name(first)} and {context.name(second)} ({percent(rates[scope])})"
